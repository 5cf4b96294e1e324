from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda.arrays import as_int32
from qrnn.kernels.cuda.windows import unfold


def clear_padding(x, lengths, device=launch.device):
    """See :func:`qrnn.kernels.clear_padding`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    if lengths is None:
        return x
    return unfold(x, None, 1, 0, lengths, device=device)[:, :, 0]


def attention_weights(scores, lengths, device=launch.device):
    """See :func:`qrnn.kernels.attention_weights`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    B, T, S = scores.shape
    _run(device, 'attention_weights', scores,
         (_checked(scores), as_int32(device, lengths, B), T, S))


def attention_weights_backward(weights, gweights, device=launch.device):
    """See :func:`qrnn.kernels.attention_weights_backward`.

    Args:
        device (CudaDevice): Device that runs the kernel.

    """
    _run(device, 'attention_weights_backward', weights,
         (_checked(weights), _checked(gweights), weights.shape[2]))


def _checked(array):
    if array.dtype.itemsize < 4 or not array.flags.c_contiguous:
        raise ValueError(
            'scores and weights must be contiguous and of dtype float32 or '
            f'float64, but the dtype is {array.dtype} and the strides are '
            f'{array.strides}')
    return array


def _run(device, kernel, array, args):
    B, T, S = array.shape
    device.launch(
        launch.Module('softmax', plans.bits_of(array.dtype)),
        plans.block_per_row(kernel, B * T, S, array.dtype.itemsize, args))
