"""Test the timing of functions on the CPU and on a fake GPU."""
import chainer
import numpy
import pytest

from benchmarks import timing
from qrnn.kernels.cuda import resources


class FakeGpu(timing.Clock):

    """Clock that records its calls."""

    def __init__(self, device):
        self.on_gpu = True
        self.calls = []

    def now(self):
        self.calls.append('event')
        return len(self.calls)

    def between(self, start, end):
        assert self.calls[start - 1:end] == ['event', 'work', 'event']
        return 4.

    def wait(self):
        self.calls.append('wait')

    def hold(self, milliseconds):
        assert milliseconds > .1
        self.calls.append('hold')


def test_host_and_device_times(monkeypatch):
    clock = FakeGpu(None)
    monkeypatch.setattr(timing, 'Clock', lambda device: clock)
    times = timing.time_in_turn(
        {'ours': lambda: clock.calls.append('work')}, None, 2, calls=4)
    numpy.testing.assert_array_equal(times['ours']['device'], [1, 1])
    assert (times['ours']['host'] <= times['ours']['wall']).all()
    assert clock.calls == 3 * [
        'wait', 'work', 'wait', 'hold', 'event', 'work', 'event']


def test_contestants_take_turns():
    order = []
    times = timing.time_in_turn(
        {name: lambda name=name: order.append(name) for name in 'ab'},
        chainer.get_device('@numpy'), 3)
    assert ''.join(order) == 'abababab'  # the first round is a warm-up
    assert [len(times[name]['wall']) for name in 'ab'] == [3, 3]


@pytest.mark.skipif(resources.find_nvrtc() is None, reason='needs NVRTC')
def test_kernel_that_delays_the_gpu_compiles():
    resources.find_nvrtc().compile(timing.HOLD, ['-arch=sm_90'])
