import numpy
import pytest


@pytest.fixture(autouse=True)
def seed():
    numpy.random.seed(0)
