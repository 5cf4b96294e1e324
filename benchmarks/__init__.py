"""What measures: ``python -m benchmarks.run --help``."""
import experiments  # noqa: F401  sets up BLAS and Chainer as experiments do
