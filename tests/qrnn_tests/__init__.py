import os

# Must be set before NumPy is imported. One thread suffices for the small
# matrices of the tests, and the last bit of a product can depend on the number
# of threads.
os.environ['OPENBLAS_NUM_THREADS'] = '1'

# The same setting as in the experiments.
os.environ['CHAINER_CUDNN'] = '0'

import qrnn  # noqa: E402, F401  patches Chainer before it is imported
