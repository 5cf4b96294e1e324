"""Registry of the benchmarks, and the types of their results."""
from collections.abc import Callable
import dataclasses


#: All benchmarks (:class:`Benchmark`) by name.
BENCHMARKS = {}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Functions that do the same work, to be timed in turn.

    Attributes:
        case (dict): Parameters of the comparison, such as sizes.
        contestants (dict): Functions without arguments by name. The first is
            the implementation in qrnn. The results contain the ratio of the
            times of every pair.
        check: Function without arguments that raises :class:`AssertionError`
            if a contestant computes a wrong result. It is called before
            anything is timed.
        breakdown: Function without arguments that returns the milliseconds of
            each part of the first contestant by name, or None.
        calls (int): Number of repetitions of the work in a call of a
            contestant. Times are divided by it.
        gigabytes (dict): Gigabytes read and written per repetition, by
            contestant. None if memory traffic is not measured.

    """

    case: dict
    contestants: dict[str, Callable[[], object]]
    check: Callable[[], None]
    breakdown: Callable[[], dict] | None = None
    calls: int = 1
    gigabytes: dict[str, float] | None = None


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Values other than times, measured by a benchmark.

    Attributes:
        case (dict): Parameters of the measurement, such as sizes.
        values (dict): Measured values by name.

    """

    case: dict
    values: dict


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Comparisons or measurements of a benchmark, and their presentation.

    Attributes:
        comparisons: Generator function of a device, and optional
            sizes, and yields :class:`Comparison` or :class:`Measurement`
            objects. The first line of its docstring is the title of the
            benchmark.
        summary: Function that formats the rows of the results as text, or
            None.
        draw: Function that draws the rows into a matplotlib figure, or None.

    """

    comparisons: Callable
    summary: Callable[[list], str] | None = None
    draw: Callable | None = None

    @property
    def title(self):
        return self.comparisons.__doc__.partition('\n')[0]


def benchmark(name, summary=None, draw=None):
    """Return a decorator that registers a generator of comparisons."""
    def register(function):
        BENCHMARKS[name] = Benchmark(function, summary, draw)
        return function
    return register
