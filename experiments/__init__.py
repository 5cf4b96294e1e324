"""The paper's experiments, one folder each, and their shared code."""
import contextlib
import ctypes
import os
import signal
import sys


def _set_up_process():
    """Set up signals, the environment and malloc, before NumPy is loaded."""
    # Ctrl-C ends imports without a traceback.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Otherwise OpenBLAS's idle threads spin for a tenth of a second and slow
    # down the elementwise work between two matrix products.
    os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')
    # The tests do not cover cuDNN's dropout and softmax (CuPy 13).
    os.environ.setdefault('CHAINER_CUDNN', '0')
    # Otherwise glibc returns large freed arrays to the system, which clears
    # the same memory again in every iteration: a tenth of the time.
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        top_pad, trim_threshold, mmap_max = -2, -1, -4
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)
        mallopt(top_pad, 2 ** 26)


# Python sets this while it locates the program that ``python -m`` names.
if sys.argv[:1] == ['-m']:
    _set_up_process()

import qrnn  # noqa: E402,F401  patches Chainer before it is imported
