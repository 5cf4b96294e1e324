"""The paper's experiments, one folder each, and what they share."""
import ctypes
import os
import sys


def _set_up_process():
    """Choose what a program has to before NumPy and Chainer are loaded.

    OpenBLAS's idle threads spin for a tenth of a second, on the very cores
    that the elementwise work between two products is to use; now they sleep
    at once. cuDNN's dropout and softmax, which Chainer would use with CuPy
    13, are not what the tests cover. And glibc returns large freed arrays to
    the system at once, which has to find and clear the same memory again in
    every iteration: a tenth of its time.
    """
    os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')
    os.environ.setdefault('CHAINER_CUDNN', '0')
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # not glibc
    top_pad, trim_threshold, mmap_max = -2, -1, -4
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, -1)
    mallopt(top_pad, 2 ** 26)


# So it is while Python locates the program that ``python -m`` names.
if sys.argv[:1] == ['-m']:
    _set_up_process()

import qrnn  # noqa: E402,F401  patches Chainer before it is imported
