"""Test that the pooling benchmark checks the results of CUDA kernels."""
import functools
import types

import chainer
import numpy
import pytest

from benchmarks import pooling
from qrnn.kernels import cuda
from qrnn.kernels import dispatch
from qrnn.kernels import philox
from qrnn_tests.kernels_tests import host_device


@pytest.mark.skipif(host_device.compiler is None, reason='needs g++')
@pytest.mark.parametrize('direction', ['forward', 'backward'])
@pytest.mark.parametrize('zoneout', [0., .5])
def test_benchmark_checks_the_kernels(direction, zoneout, monkeypatch):
    backend = types.SimpleNamespace(
        zoneout_mask=philox.zoneout_mask, **{
            name: functools.partial(
                getattr(cuda, name), device=host_device.HostDevice())
            for name in ('pooling_forward', 'pooling_backward')})
    monkeypatch.setattr(dispatch, 'backend_of', lambda array: backend)
    call = pooling._Call(
        chainer.get_device('@numpy'), (2, 5, 4), 'float32', 'fo', zoneout)
    call.check(direction)
    call.mask = numpy.ones_like(call.gh, bool)
    with pytest.raises(AssertionError):
        call.check(direction)
