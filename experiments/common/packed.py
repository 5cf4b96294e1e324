"""Parameters packed into few arrays, for GPUs."""
import chainer


class Packed(chainer.Chain):
    """A model whose parameters are packed into a few arrays.

    Parameters with the same type of update rule and the same dtype become
    views of one array, their pack. For each pack instead of each parameter,
    an optimizer launches one or a few kernels for weight decay, clipping, the
    check for NaN and the update. In all other respects, the model behaves like
    the original model, which must already be on its device. Update rules of
    the same type must have the same hooks.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.to_device(model.device)
        groups = {}
        for _, param in sorted(model.namedparams()):
            kind = type(param.update_rule), param.dtype
            groups.setdefault(kind, []).append(param)
        self._packs = [_Pack(params) for params in groups.values()]

    def namedparams(self, include_uninit=True):
        return ((f'/pack{i}', pack) for i, pack in enumerate(self._packs))

    def namedlinks(self, skipself=False):
        # The trainer registers these links as observers.
        yield '', self.model
        yield from self.model.namedlinks(skipself=True)

    def params(self, include_uninit=True):
        return iter(self._packs)

    def cleargrads(self):
        self.model.cleargrads()
        for pack in self._packs:
            pack.cleargrad()

    def forward(self, *args):
        return self.model(*args)

    def __getattr__(self, name):
        if 'model' not in self.__dict__:  # __init__ has not set model
            raise AttributeError(name)
        return getattr(self.model, name)

    def serialize(self, serializer):
        self.model.serialize(serializer)


class _Pack(chainer.Parameter):
    """A parameter whose array contains the arrays of several parameters.

    The gradients of these parameters are concatenated in one launch, when the
    gradient of the pack is first read after the backward pass.
    """

    def __init__(self, params):
        device = params[0].device
        super().__init__(device.xp.concatenate(
            [param.array.ravel() for param in params]))
        self.to_device(device)
        self.update_rule = params[0].update_rule
        self._params = params
        start = 0
        for param in params:
            end = start + param.size
            param.array = self.array[start:end].reshape(param.shape)
            param.update_rule = None
            start = end

    def _get_grad(self):
        if super()._get_grad() is None and any(
                param.grad is not None for param in self._params):
            xp = self.device.xp
            self.grad = xp.concatenate([
                (xp.zeros_like(param.array) if param.grad is None
                 else param.grad).ravel() for param in self._params])
            self._loss_scale = self._params[0]._loss_scale
        return super()._get_grad()
