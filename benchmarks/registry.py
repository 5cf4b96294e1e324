"""Registry of the benchmarks, and the types of their results."""
from collections.abc import Callable
import dataclasses


#: Dict that maps names to instances of :class:`Benchmark`.
BENCHMARKS = {}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Functions that do the same work, to be timed in turn.

    Attributes:
        case (dict): Parameters of the comparison, such as sizes.
        contestants (dict): Maps names to functions without arguments. The
            first function is the implementation in qrnn. The results contain
            the ratio of the times of every pair of functions.
        check: Function without arguments that raises :class:`AssertionError`
            if a contestant computes a wrong result. It is called before
            anything is timed.
        breakdown: Function without arguments that returns a dict of the
            milliseconds of each part of the first contestant. None if there
            is no breakdown.
        calls (int): Number of repetitions of the work in a call of a
            contestant. Measured times are divided by this number.
        gigabytes (dict): Maps names of contestants to the gigabytes that they
            read and write per repetition. None if memory traffic is not
            measured.

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
        values (dict): Maps names to measured values.

    """

    case: dict
    values: dict


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Comparisons or measurements of a benchmark, and their presentation.

    Attributes:
        comparisons: Generator function whose arguments are a device and
            optional sizes. It yields :class:`Comparison` or
            :class:`Measurement` objects. The first line of its docstring is
            the title of the benchmark.
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
    """Return a decorator that registers a generator function as a benchmark.

    See :class:`Benchmark` for the arguments.
    """
    def register(function):
        BENCHMARKS[name] = Benchmark(function, summary, draw)
        return function
    return register
