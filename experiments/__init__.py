"""The paper's experiments, each in its own folder, and their shared code."""
import contextlib
import ctypes
import os
import signal
import sys


def _set_up_process():
    """Set up signals, the environment and malloc, before NumPy is loaded."""
    # If Ctrl-C ends the program during imports, print no traceback.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Let idle threads of OpenBLAS sleep early. By default, they spin for a
    # tenth of a second and slow down the work between matrix products.
    os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')
    # Disable cuDNN (in CuPy 13), because the tests do not cover its dropout
    # and softmax.
    os.environ.setdefault('CHAINER_CUDNN', '0')
    # Do not return freed memory to the system. The system would clear it
    # again in every iteration, which takes a tenth of the training time.
    # C libraries other than glibc do not have mallopt.
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        top_pad, trim_threshold, mmap_max = -2, -1, -4
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)
        mallopt(top_pad, 2 ** 26)


# While ``python -m`` imports this package, sys.argv[0] is '-m'.
if sys.argv[:1] == ['-m']:
    _set_up_process()

import qrnn  # noqa: E402,F401  patches Chainer before it is imported
