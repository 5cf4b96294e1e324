"""Benchmarks of qrnn. For help: ``python -m benchmarks.run --help``."""
import experiments  # noqa: F401  sets up the process
