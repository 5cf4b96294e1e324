import numpy

import chainer
from chainer import backend
from chainer import function_node
from chainer.utils import type_check

from qrnn.types import Input
from qrnn.types import NDArray


def zoneout(f: Input, ratio: float = .1, mask: NDArray | None = None,
            expectation: bool = False) -> chainer.Variable:
    """Apply zoneout to forget gates: set random gates to 1.

    If a gate is 1, its channel keeps its state at that step. Equation 6 of the
    QRNN paper,

    .. math::

        F = 1 - \\mathrm{dropout}(1 - f),

    uses dropout without rescaling, so no gate exceeds 1. Each gate is set to 1
    with probability ``ratio``, independently for every step and channel.

    In evaluation (``chainer.config.train`` is ``False``), the gates are
    returned unchanged if ``expectation`` is False. If ``expectation`` is True,
    the gates are replaced by their expectation under zoneout,
    :math:`p + (1 - p) f` for a ``ratio`` of :math:`p`. The QRNN paper does not
    state which variant it uses; torchqrnn uses the expectation.

    Args:
        f (:class:`~chainer.Variable` or :ref:`ndarray`): Forget gates in
            [0, 1], of any shape.
        ratio (float): Probability that a gate is set to 1, in [0, 1].
        mask (:ref:`ndarray`): Booleans of the shape of ``f``, true where the
            gate is set to 1. A given mask is also applied in evaluation. If
            omitted, the mask is drawn from the global generator of NumPy or
            CuPy; see :func:`numpy.random.seed` and :func:`cupy.random.seed`.
        expectation (bool): If True, evaluation uses the expectation of the
            gates. Otherwise, it uses the gates unchanged.

    Returns:
        ~chainer.Variable: The gates with zoneout, of the shape of ``f``.

    Raises:
        chainer.utils.type_check.InvalidType: If ``mask`` does not have the
            shape of ``f``.
        ValueError: If ``ratio`` is not in [0, 1].

    See: `Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations
    <https://arxiv.org/abs/1606.01305>`_.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn import zoneout
        >>> f = np.full((1, 2, 2), 0.25, np.float32)
        >>> mask = np.array([[[True, False], [False, False]]])
        >>> zoneout(f, mask=mask).array
        array([[[1.  , 0.25],
                [0.25, 0.25]]], dtype=float32)
        >>> import chainer
        >>> with chainer.using_config('train', False):
        ...     zoneout(f, ratio=.5, expectation=True).array
        array([[[0.625, 0.625],
                [0.625, 0.625]]], dtype=float32)

    """
    f = chainer.as_variable(f)
    if mask is None:
        if check_ratio(ratio) == 0:
            return f
        if not chainer.config.train:
            return expected_gate(f, ratio) if expectation else f
        xp = backend.get_array_module(f)
        with chainer.using_device(f.device):
            mask = xp.random.random_sample(f.shape) < ratio
    return _Zoneout(mask).apply((f,))[0]


def zoneout_ref(f: numpy.ndarray, ratio: float = .1,
                mask: numpy.ndarray | None = None,
                expectation: bool = False) -> numpy.ndarray:
    """Reference of :func:`zoneout` in NumPy and float64.

    ========  ========  =============================================
    array     shape     meaning
    ========  ========  =============================================
    ``f``     any       forget gates
    ``mask``  as ``f``  true where the gate is set to 1, or None
    return    as ``f``  gates with zoneout, float64
    ========  ========  =============================================

    Without ``mask``, the reference computes the gates as in evaluation.
    """
    f = numpy.asarray(f, numpy.float64)
    if mask is not None:
        return numpy.where(mask, 1., f)
    return ratio + (1 - ratio) * f if expectation else f


def expected_gate(f, ratio):
    """Return the expectation of a gate under zoneout."""
    return f + ratio * (1 - f)


def check_ratio(ratio):
    """Return a zoneout ratio, or raise ValueError if it is not in [0, 1]."""
    if not 0 <= ratio <= 1:
        raise ValueError(
            f'zoneout must be a probability between 0 and 1, not {ratio}')
    return ratio


def draw_seed(ratio, expectation):
    """Return the zoneout ratio and the seed to pass to the kernels.

    The seed is None if the kernels must replace the forget gates by their
    expectation. The ratio is 0 if zoneout must have no effect.
    """
    if ratio and chainer.config.train:
        return ratio, int(numpy.random.randint(2 ** 63 - 1, dtype=numpy.int64))
    return (ratio, None) if expectation and ratio else (0., 0)


class _Zoneout(function_node.FunctionNode):

    def __init__(self, mask):
        self.mask = mask

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('f',))
        type_check.expect(
            in_types[0].dtype.kind == 'f',
            in_types[0].shape == self.mask.shape,
        )

    def forward(self, inputs):
        f, = inputs
        xp = backend.get_array_module(f)
        return xp.where(self.mask, f.dtype.type(1), f),

    def backward(self, indexes, grad_outputs):
        gF, = grad_outputs
        return gF * (~self.mask).astype(gF.dtype),
