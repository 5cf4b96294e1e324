import os

# One thread: the tests' matrices are tiny, the machine may be busy, and the
# last bit of a product can depend on the number. Before NumPy is loaded.
os.environ['OPENBLAS_NUM_THREADS'] = '1'

# As the experiments do: what is tested is what is run.
os.environ['CHAINER_CUDNN'] = '0'

import qrnn  # NOQA  patches Chainer before a test module imports it

from chainer.backends import cuda  # NOQA
import pytest  # NOQA


def pytest_collection_modifyitems(items):
    # cuda.available says that CuPy imports, which it does without a GPU too.
    if not (cuda.available and cuda.cupy.is_available()):
        for item in items:
            if item.get_closest_marker('gpu'):
                item.add_marker(pytest.mark.skip(reason='needs a GPU'))
