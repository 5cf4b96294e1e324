"""The benchmarks by name."""
from collections.abc import Callable
import dataclasses


#: Every :class:`Benchmark` by name.
BENCHMARKS = {}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Contestants that do the same work, timed in turn.

    Attributes:
        case (dict): What varies between the comparisons of a benchmark: sizes
            and the like.
        contestants (dict): A function without arguments for every name. The
            first one is ours. The ratio of every two is kept.
        check: Function without arguments that raises :class:`AssertionError`
            if a contestant does not compute what it should. Nothing is timed
            before it has passed.
        breakdown: Function without arguments that returns where the time of
            the first contestant goes, in milliseconds by name, or None.
        calls (int): How many times a contestant does its work when called.
            Milliseconds are those of one time.
        gigabytes (dict): What a contestant moves to and from memory each
            time, by name. None where memory is not the point.

    """

    case: dict
    contestants: dict[str, Callable[[], object]]
    check: Callable[[], None]
    breakdown: Callable[[], dict] | None = None
    calls: int = 1
    gigabytes: dict[str, float] | None = None


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A result of a benchmark other than times.

    Attributes:
        case (dict): As in :class:`Comparison`.
        values (dict): What was measured, by name.

    """

    case: dict
    values: dict


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A benchmark: what it compares, and how its results are shown.

    Attributes:
        comparisons: Generator function from a device to comparisons, or to
            measurements. Its docstring tells what it is.
        summary: Function from the rows of the results to a text, or None.
        draw: Function that draws the rows into a figure of matplotlib, or
            None.

    """

    comparisons: Callable
    summary: Callable[[list], str] | None = None
    draw: Callable | None = None

    @property
    def title(self):
        return self.comparisons.__doc__.partition('\n')[0]


def benchmark(name, summary=None, draw=None):
    """Register a generator of comparisons, as a decorator."""
    def register(function):
        BENCHMARKS[name] = Benchmark(function, summary, draw)
        return function
    return register
