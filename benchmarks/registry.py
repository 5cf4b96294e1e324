"""The benchmarks by name."""
import dataclasses
import typing


#: Every benchmark: a function from a device to comparisons, by name.
BENCHMARKS = {}


@dataclasses.dataclass(frozen=True)
class Comparison(object):

    """Contestants that do the same work, timed in turn.

    Attributes:
        case (dict): What varies between the comparisons of a benchmark: sizes
            and the like.
        contestants (dict): A function without arguments for every name. The
            first one is ours.
        check: Function without arguments that raises :class:`AssertionError`
            if a contestant does not compute what it should. Nothing is timed
            before it has passed.
        breakdown: Function without arguments that returns where the time of
            the first contestant goes, in milliseconds by name, or None.

    """

    case: dict
    contestants: typing.Dict[str, typing.Callable[[], object]]
    check: typing.Callable[[], None]
    breakdown: typing.Callable[[], dict] = None


def benchmark(name):
    """Registers a generator of comparisons; its docstring tells what it is."""
    def register(function):
        BENCHMARKS[name] = function
        return function
    return register
