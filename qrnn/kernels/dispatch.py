"""Selection of the backend of an array."""
from chainer.backends.cuda import ndarray  # defined without CuPy, too


def backend_of(array):
    """Return the module of the kernels that process an array.

    It is :mod:`qrnn.kernels.cuda` or :mod:`qrnn.kernels.cpu`.
    """
    # Imported on first use, because importing Numba is slow.
    if isinstance(array, ndarray):
        from qrnn.kernels import cuda as backend
    else:
        from qrnn.kernels import cpu as backend
    return backend
