import os

from chainer.backends import cuda
import numpy
import pytest

try:
    import hypothesis
except ImportError:  # without hypothesis, property tests are skipped
    pass
else:
    # By default, each property is tested with a few fixed examples.
    # ``QRNN_EXAMPLES=1000 pytest -k properties`` tests each property with
    # 1,000 random examples. There is no time limit for an example.
    n_examples = os.environ.get('QRNN_EXAMPLES')
    hypothesis.settings.register_profile(
        'qrnn', deadline=None, database=None, derandomize=not n_examples,
        max_examples=int(n_examples or 20), print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck))
    hypothesis.settings.load_profile('qrnn')


def pytest_collection_modifyitems(items):
    # cuda.available is also True if CuPy is installed but there is no GPU.
    if not (cuda.available and cuda.cupy.is_available()):
        for item in items:
            if item.get_closest_marker('gpu'):
                item.add_marker(pytest.mark.skip(reason='needs a GPU'))


@pytest.fixture(autouse=True)
def seed():
    numpy.random.seed(0)
