import qrnn  # NOQA  mends Chainer before a test module imports it

from chainer.backends import cuda
import pytest


def pytest_collection_modifyitems(items):
    # cuda.available says that CuPy imports, which it does without a GPU too.
    if not (cuda.available and cuda.cupy.is_available()):
        for item in items:
            if item.get_closest_marker('gpu'):
                item.add_marker(pytest.mark.skip(reason='needs a GPU'))
