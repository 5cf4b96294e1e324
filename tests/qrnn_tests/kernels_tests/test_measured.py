"""What the benchmark of the kernels calls, called on the host."""
import functools

import chainer
import numpy
import pytest

from benchmarks import pooling
from qrnn.kernels import cuda as kernels
from qrnn_tests.kernels_tests import host_device


@pytest.mark.skipif(host_device.compiler is None, reason='needs g++')
@pytest.mark.parametrize('direction', ['forward', 'backward'])
@pytest.mark.parametrize('zoneout', [0., .5])
def test_benchmark_checks_the_kernels(direction, zoneout, monkeypatch):
    for name in 'pooling_forward', 'pooling_backward':
        monkeypatch.setattr(kernels, name, functools.partial(
            getattr(kernels, name), device=host_device.HostDevice()))
    each = pooling._Set(
        chainer.get_device('@numpy'), (2, 5, 4), 'float32', 'fo', zoneout)
    each.on_gpu = True
    each.check(direction)
    each.mask = numpy.ones_like(each.gh, bool)
    with pytest.raises(AssertionError):
        each.check(direction)
