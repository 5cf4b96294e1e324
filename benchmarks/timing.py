"""Times in turn, so that a change of the machine's speed hits all alike."""
import time

from chainer.backends import cuda
import numpy


def time_in_turn(contestants, device, repeats):
    """Times functions one after the other, over and over.

    Args:
        contestants (dict): Functions without arguments by name.
        device (chainer.backend.Device): Where they run; a GPU is waited for.
        repeats (int): Number of rounds, after one that does not count.

    Returns:
        dict: Milliseconds of every round for each name, an array of
        ``(repeats,)``.

    """
    times = {name: [] for name in contestants}
    for _ in range(1 + repeats):
        for name, function in contestants.items():
            _wait(device)
            start = time.perf_counter()
            function()
            _wait(device)
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: numpy.array(values[1:]) for name, values in times.items()}


def ratio_of(times, other):
    """Median, least and largest ratio of two series, round by round."""
    ratios = times / other
    return {'median': float(numpy.median(ratios)),
            'min': float(ratios.min()), 'max': float(ratios.max())}


def _wait(device):
    if device.xp is not numpy:
        cuda.Stream.null.synchronize()
