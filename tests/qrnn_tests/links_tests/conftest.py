import chainer
import numpy
import pytest


@pytest.fixture(autouse=True)
def float64_parameters():
    with chainer.using_config('dtype', numpy.float64):
        yield
