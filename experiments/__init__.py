"""The paper's experiments, one folder each, and what they share."""
import os

# OpenBLAS's idle threads look out for work for a tenth of a second and more,
# on the very cores that the elementwise work in between is to use; now they
# sleep at once. It has to be said before NumPy is loaded.
os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')

import qrnn  # noqa: E402,F401  mends Chainer before a module here imports it
