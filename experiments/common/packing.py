"""The parameters of a model as one, which a GPU updates in few launches."""
import chainer


def pack(optimizer):
    """Let an optimizer see all parameters with the same kind of rule as one.

    Decay, clipping, the check for NaN and the update then take one launch
    each, or a few, in place of as many for every parameter. The parameters of
    the model become views of their pack; their gradients are copied into it,
    by one launch, after each backward pass.

    Args:
        optimizer (~chainer.Optimizer): The optimizer of a model on its
            device, before its first update. Rules of the same type must have
            the same hooks. Its target becomes a :class:`Packed`.

    """
    optimizer.target = Packed(optimizer.target)


class Packed(chainer.Chain):
    """A model whose parameters are few: packs of those of the same rule.

    It is called, and saved in snapshots, as the model, whose other attributes
    it has, too.

    Args:
        model (~chainer.Link): A model with update rules. All its parameters
            are initialised.

    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.to_device(model.device)
        members = {}
        for _, param in sorted(model.namedparams()):
            kind = type(param.update_rule), param.dtype
            members.setdefault(kind, []).append(param)
        self._packs = {f'/pack{i}': _Pack(params, model.device)
                       for i, params in enumerate(members.values())}

    def forward(self, *args):
        return self.model(*args)

    def __getattr__(self, name):
        if 'model' not in self.__dict__:  # it is being made
            raise AttributeError(name)
        return getattr(self.model, name)

    def namedparams(self, include_uninit=True):
        for name, pack in self._packs.items():
            pack.gather()
            yield name, pack.flat

    def params(self, include_uninit=True):
        return (param for _, param in self.namedparams())

    def cleargrads(self):
        self.model.cleargrads()
        for pack in self._packs.values():
            pack.flat.cleargrad()

    def serialize(self, serializer):
        self.model.serialize(serializer)


class _Pack:
    """Parameters that are views of one, ``flat``."""

    def __init__(self, params, device):
        self._params = params
        xp = device.xp
        with chainer.using_device(device):
            self.flat = chainer.Parameter(
                xp.concatenate([param.array.ravel() for param in params]))
            self.flat.to_device(device)
        self.flat.update_rule = params[0].update_rule
        start = 0
        for param in params:
            end = start + param.size
            param.array = self.flat.array[start:end].reshape(param.shape)
            param.update_rule = None
            start = end

    def gather(self):
        """Copy the parameters' gradients, if they have come since."""
        if self.flat.grad is not None or all(
                param.grad is None for param in self._params):
            return
        xp = self.flat.xp
        with chainer.using_device(self.flat.device):
            self.flat.grad = xp.concatenate([
                (xp.zeros_like(param.array) if param.grad is None
                 else param.grad).ravel() for param in self._params])
        self.flat._loss_scale = self._params[0]._loss_scale
