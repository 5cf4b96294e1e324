import chainer
import pytest

from benchmarks import training_memory
from experiments.common import extensions
from experiments.ptb.model import LanguageModel


OPTIONS = '--test', '--epoch', '99', '--snapshot-every', '10'


@pytest.fixture(autouse=True)
def no_picture(monkeypatch):
    monkeypatch.setattr(extensions.Curves, '__call__', lambda *_: None)


@pytest.mark.parametrize('experiment', ['ptb', 'imdb', 'iwslt'])
def test_no_growth(experiment):
    grown = training_memory.growth(experiment, 40, 30, OPTIONS)
    # Some growth is allowed: each epoch adds an entry to the log.
    assert grown['allocated'] < 30e3, grown
    assert grown['objects'] < 100, grown


def test_growth_is_detected(monkeypatch):
    """Memory grows if the state is never unchained from previous chunks."""
    monkeypatch.setattr(LanguageModel, 'unchain_state', lambda self: None)
    grown = training_memory.growth('ptb', 2, 20, OPTIONS)
    assert grown['allocated'] > 300e3, grown
    assert grown['objects'] > 1000, grown


@pytest.mark.parametrize('name,limit', [
    ('QRNNLayer, f', 41), ('QRNNLayer, fo', 57), ('QRNNLayer, if', 53),
    ('QRNNLayer, ifo', 69), ('QRNNLayer, fo, k = 6', 73),
    ('QRNNLayer, fo, zoneout', 58), ('ptb', 173), ('imdb', 240),
    ('iwslt, S = 200', 293)])
def test_peak_is_linear_in_time(name, limit, monkeypatch):
    """Peak memory is linear in T; ``limit`` is in bytes per element."""
    # With several threads, the peak varies between runs.
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    make = training_memory._STEPS_OF[name]
    steps = [make(T) for T in (800, 1200, 1600)]
    # The minimum excludes memory that is allocated once, such as caches.
    peaks = [min(training_memory.peak(step) for _ in range(2))
             for step in steps]
    elements = training_memory._B * 400 * training_memory._SIZE
    first, second = (
        (b - a) / elements for a, b in zip(peaks, peaks[1:]))
    assert abs(first - second) < .05 * second
    assert second < limit


def test_peak_counts_simultaneous_arrays():
    array = chainer.Variable(training_memory.numpy.zeros(10000, 'f'))
    assert 80000 <= training_memory.peak(
        lambda: (array * 2) * 3) < 90000
