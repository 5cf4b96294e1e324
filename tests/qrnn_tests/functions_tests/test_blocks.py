import threading

import numpy
import pytest

from qrnn.functions import blocks


@pytest.mark.parametrize('n_threads', ['1', '2', '3', '', 'many'])
@pytest.mark.parametrize('shape', [
    (1, 1, 1), (3, 5, 7), (2, 1000, 333), (1000, 1, 700), (700, 3, 500),
    (1, 1, 300000), (1, 600000, 1), (600000, 1, 1), (0, 5, 7), (5, 0, 7),
    (5, 7, 0)])
def test_each_element_once(shape, n_threads, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', n_threads)
    visits = numpy.zeros(shape, int)

    def visit(block):
        b, t = block
        assert 0 <= b.start and 0 <= t.start
        assert t.stop <= shape[1]
        visits[block] += 1

    blocks.each_block(visit, shape)
    assert (visits == 1).all()


def test_threads_as_allowed(monkeypatch):
    def threads_of(shape):
        seen = set()
        blocks.each_block(lambda _: seen.add(threading.get_ident()), shape)
        return seen

    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert threads_of((10, 1000, 1000)) == {threading.get_ident()}
    monkeypatch.delenv('OMP_NUM_THREADS')
    assert threads_of((10, 10, 10)) == {threading.get_ident()}
    before = threading.active_count()
    threads_of((10, 1000, 1000))
    assert threading.active_count() == before  # nothing for a fork to break


@pytest.mark.parametrize('shape', [(3, 5, 7), (10, 1000, 1000)])
def test_errors_come_out(shape):
    def fail(block):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        blocks.each_block(fail, shape)
