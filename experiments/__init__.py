"""The paper's experiments, one folder each, and what they share."""
import contextlib
import ctypes
import os
import signal
import sys


def _set_up_process():
    """Choose what a program has to before NumPy and Chainer are loaded."""
    # OpenBLAS's idle threads would spin for a tenth of a second, on the cores
    # that the elementwise work between two products is to use.
    os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')
    # Until cli.run, Ctrl-C ends the program without a traceback; what is
    # imported here would also lose it now and then.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The tests do not cover cuDNN's dropout and softmax (CuPy 13).
    os.environ.setdefault('CHAINER_CUDNN', '0')
    # glibc would return large freed arrays to the system, which then has to
    # clear the same memory in every iteration: a tenth of its time.
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        top_pad, trim_threshold, mmap_max = -2, -1, -4
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)
        mallopt(top_pad, 2 ** 26)


# So it is while Python locates the program that ``python -m`` names.
if sys.argv[:1] == ['-m']:
    _set_up_process()

import qrnn  # noqa: E402,F401  patches Chainer before it is imported
