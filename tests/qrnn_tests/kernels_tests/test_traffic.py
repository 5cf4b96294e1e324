"""Test the memory traffic of the kernels, counted in runs on the host."""
import numpy
import pytest

from qrnn.gates import GATES
from qrnn.kernels import cuda as kernels
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda import traffic
from qrnn_tests.kernels_tests import host_device
from qrnn_tests.kernels_tests.host_device import HostDevice


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

SHAPE = B, T, C = 1, 1024, 32


def counted(call):
    device = HostDevice()
    call(device)
    return sum(device.bytes) / (B * T * C)


@pytest.mark.parametrize('regime', plans.REGIMES)
class TestTraffic:

    def array(self, channels=C):
        return numpy.zeros((B, T, channels), 'f')

    def close(self, actual, *args):
        # The actual number differs slightly: initial states and intermediate
        # results of chunks add bytes, and the last chunk is not read twice.
        expected = traffic.bytes_per_element(*args)
        assert abs(actual / expected - 1) < .06

    def test_strnn(self, regime):
        a = self.array()
        self.close(counted(lambda device: kernels.strnn_forward(
            a, a, regime=regime, device=device)),
            'strnn_forward', None, regime)
        self.close(counted(lambda device: kernels.strnn_backward(
            a, a, None, a, regime=regime, device=device)),
            'strnn_backward', None, regime)

    @pytest.mark.parametrize('pooling', GATES)
    def test_pooling(self, pooling, regime):
        u, a = self.array(len(GATES[pooling]) * C), self.array()
        self.close(counted(lambda device: kernels.pooling_forward(
            u, pooling=pooling, regime=regime, device=device)),
            'pooling_forward', pooling, regime)
        self.close(counted(lambda device: kernels.pooling_backward(
            u, None, None, None, pooling, 0., 0, None, a, a, None, None,
            regime=regime, device=device)),
            'pooling_backward', pooling, regime)


def test_ideal():
    for direction, least, chunked in ('forward', 20, 28), ('backward', 32, 44):
        operation = f'pooling_{direction}', 'fo'
        assert traffic.bytes_per_element(*operation) == least
        assert traffic.bytes_per_element(*operation, 'chunked_scan') == chunked
