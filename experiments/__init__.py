"""The paper's experiments, one folder each, and what they share."""
import ctypes
import os


def _keep_memory():
    """Makes the C library keep freed arrays for the next iteration.

    It gives large ones back to the system at once, which has to find and
    clear the same memory again for every iteration: a tenth of its time.
    """
    top_pad, trim_threshold, mmap_max = -2, -1, -4
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # not glibc
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, -1)
    mallopt(top_pad, 2 ** 26)


# OpenBLAS's idle threads look out for work for a tenth of a second and more,
# on the very cores that the elementwise work in between is to use; now they
# sleep at once. It has to be said before NumPy is loaded.
os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')

# Chainer would take cuDNN's dropout and softmax where CuPy 13 finds cuDNN, and
# other numbers with them, and warn where it does not.
os.environ.setdefault('CHAINER_CUDNN', '0')
_keep_memory()

import qrnn  # noqa: E402,F401  patches Chainer before it is imported
