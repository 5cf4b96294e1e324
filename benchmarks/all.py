"""Imports every benchmark, which registers it."""
from benchmarks import drop_in  # NOQA
from benchmarks import imdb_step  # NOQA
from benchmarks import layer  # NOQA
from benchmarks import pooling  # NOQA
from benchmarks import ptb_step  # NOQA
from benchmarks import recurrence  # NOQA
from benchmarks.registry import BENCHMARKS  # NOQA
