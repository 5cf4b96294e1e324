"""Timing of functions in turn, because clock rates change over time."""
import functools
import time

from chainer.backends import cuda
import numpy


def time_in_turn(contestants, device, repeats, calls=1):
    """Time functions in turn, round by round.

    These times are measured, in milliseconds:

    - ``'wall'``: time until the result is available.
    - ``'host'`` (GPU only): time until the call returns. At that time, the GPU
      may still be working. If ``'host'`` is close to ``'wall'``, Python is too
      slow to keep the GPU busy.
    - ``'device'`` (GPU only): time from the start of the first kernel to the
      end of the last. Unless the function synchronises, all kernels are
      launched before the first starts, so no kernel waits for the host.

    Args:
        contestants (dict): Maps names to functions without arguments.
        device (chainer.backend.Device): Device that the functions use.
        repeats (int): Number of rounds after a warm-up round.
        calls (int): Number of repetitions of the work in a call of a function.

    Returns:
        dict: Maps the name of each function to a dict, which contains an
        array ``(repeats,)`` for each of the times above.

    """
    clock = Clock(device)
    rounds = {name: [] for name in contestants}
    for _ in range(1 + repeats):
        for name, function in contestants.items():
            rounds[name].append(_measure(function, clock))
    return {name: {kind: numpy.array([r[kind] for r in times[1:]]) / calls
                   for kind in times[0]}
            for name, times in rounds.items()}


def spread(values):
    """Return a dict of the median, minimum and maximum of an array."""
    return {'median': float(numpy.median(values)),
            'min': float(values.min()), 'max': float(values.max())}


class Clock:
    """Clock of a device.

    On a GPU, a reading is a CUDA event. :meth:`now` does not synchronise, but
    :meth:`between` does. So call :meth:`between` after all work has been
    launched.

    Args:
        device (chainer.backend.Device): Device that does the work.

    """

    def __init__(self, device):
        self.on_gpu = device.xp is not numpy

    def now(self):
        if not self.on_gpu:
            return time.perf_counter()
        event = cuda.Event()
        event.record()
        return event

    def between(self, start, end):
        """Return the milliseconds between two readings."""
        if not self.on_gpu:
            return 1e3 * (end - start)
        end.synchronize()
        return cuda.cupy.cuda.get_elapsed_time(start, end)

    def wait(self):
        """Wait until a GPU has finished all launched work."""
        if self.on_gpu:
            cuda.cupy.cuda.runtime.deviceSynchronize()

    def hold(self, milliseconds):
        """Delay a GPU, so the host can launch work in the meantime."""
        if self.on_gpu:
            nanoseconds = int(1e6 * min(milliseconds, _LONGEST))
            _hold()((1,), (1,), (numpy.int64(nanoseconds),))


def _measure(function, clock):
    clock.wait()
    if not clock.on_gpu:
        time.sleep(_PAUSE)
    start = time.perf_counter()
    function()
    host = 1e3 * (time.perf_counter() - start)
    clock.wait()
    wall = 1e3 * (time.perf_counter() - start)
    if not clock.on_gpu:
        return {'wall': wall}
    clock.hold(2 * host + .1)
    start = clock.now()
    function()
    return {'wall': wall, 'host': host,
            'device': clock.between(start, clock.now())}


# Seconds to wait before each measurement. Meanwhile, idle threads of other
# libraries stop spinning on the cores.
_PAUSE = .02

_LONGEST = 500  # maximum delay of a GPU in milliseconds

#: CUDA kernel that waits for a number of nanoseconds.
HOLD = r'''
extern "C" __global__ void hold(long long nanoseconds) {
  long long start, now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
  do asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  while (now - start < nanoseconds);
}
'''


@functools.cache
def _hold():
    return cuda.cupy.RawKernel(HOLD, 'hold')
