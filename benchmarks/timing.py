"""Functions timed in turn, so that the machine's changes hit all alike."""
import functools
import time

from chainer.backends import cuda
import numpy


def time_in_turn(contestants, device, repeats, calls=1):
    """Time functions in turn, round by round.

    Three things are measured, all of them in milliseconds:

    - ``'wall'``: until the result is there;
    - ``'host'`` (on a GPU): until the call returns, which is when all work
      has been sent. Where this is most of ``'wall'``, Python is too slow to
      keep the GPU busy;
    - ``'device'`` (on a GPU): from the first kernel's start to the last one's
      end, the queue being filled in advance so that none waits for the host.
      What asks for a result midway waits nevertheless.

    Args:
        contestants (dict): Functions without arguments by name.
        device (chainer.backend.Device): Where they run.
        repeats (int): Number of rounds, after one that does not count.
        calls (int): How many times a function does its work when called.

    Returns:
        dict: By name a dict of arrays of ``(repeats,)``, those above.

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
    """Return median, least and largest of a series."""
    return {'median': float(numpy.median(values)),
            'min': float(values.min()), 'max': float(values.max())}


class Clock:
    """Reads the time where the work is done.

    On a GPU a reading is an event of the device: take as many as you like, and
    ask for differences once all work is done.

    Args:
        device (chainer.backend.Device): Where the work is done.

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
        """Return the milliseconds from one reading to another."""
        if not self.on_gpu:
            return 1e3 * (end - start)
        end.synchronize()
        return cuda.cupy.cuda.get_elapsed_time(start, end)

    def wait(self):
        """Wait until a GPU has done all that it was sent."""
        if self.on_gpu:
            cuda.cupy.cuda.runtime.deviceSynchronize()

    def hold(self, milliseconds):
        """Keep a GPU from starting while the host fills its queue."""
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


# Seconds after which the idle threads of another contestant's library have
# stopped spinning on the cores of this one.
_PAUSE = .02

_LONGEST = 500  # milliseconds to hold a GPU

#: Spins on the device's own clock.
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
