import os

# One thread: the tests' matrices are tiny, the machine may be busy, and the
# last bit of a product can depend on the number. Before NumPy is loaded.
os.environ['OPENBLAS_NUM_THREADS'] = '1'

# As the experiments do: what is tested is what is run.
os.environ['CHAINER_CUDNN'] = '0'

import qrnn  # noqa: E402, F401  patches Chainer before it is imported
