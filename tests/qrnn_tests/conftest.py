import os

# One thread: the tests' matrices are tiny, the machine may be busy, and the
# last bit of a product can depend on the number. Before NumPy is loaded.
os.environ['OPENBLAS_NUM_THREADS'] = '1'

# As the experiments do: what is tested is what is run.
os.environ['CHAINER_CUDNN'] = '0'

import qrnn  # noqa: E402, F401  patches Chainer before it is imported

from chainer.backends import cuda  # noqa: E402
import numpy  # noqa: E402
import pytest  # noqa: E402


def pytest_collection_modifyitems(items):
    # cuda.available says that CuPy imports, which it does without a GPU too.
    if not (cuda.available and cuda.cupy.is_available()):
        for item in items:
            if item.get_closest_marker('gpu'):
                item.add_marker(pytest.mark.skip(reason='needs a GPU'))


@pytest.fixture(autouse=True)
def seed():
    numpy.random.seed(0)
