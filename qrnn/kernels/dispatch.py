"""Selection of the backend that processes an array."""
from chainer.backends.cuda import ndarray  # also defined without CuPy


def backend_of(array):
    """Return the module with the kernels that process an array.

    The module is :mod:`qrnn.kernels.cuda` or :mod:`qrnn.kernels.cpu`.
    """
    # Backends are imported on first use, because importing Numba is slow.
    if isinstance(array, ndarray):
        from qrnn.kernels import cuda as backend
    else:
        from qrnn.kernels import cpu as backend
    return backend
