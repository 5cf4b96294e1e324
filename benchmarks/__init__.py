"""What measures: ``python -m benchmarks.run --help``."""
import experiments  # noqa: F401  patches Chainer before it is imported
