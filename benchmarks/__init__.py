"""What measures: ``python -m benchmarks.run --help``."""
import qrnn  # NOQA  mends Chainer before a module here imports it
