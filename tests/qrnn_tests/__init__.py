import os

# This variable must be set before NumPy is imported. One thread suffices for
# the small matrices of the tests, and the last bit of a product can depend on
# the number of threads.
os.environ['OPENBLAS_NUM_THREADS'] = '1'

# Disable cuDNN, as in the experiments.
os.environ['CHAINER_CUDNN'] = '0'

import qrnn  # noqa: E402, F401  patches Chainer, so must come first
