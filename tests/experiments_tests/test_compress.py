import json

import numpy
import pytest

from experiments import compress


@pytest.fixture
def compressed(tmp_path):
    """Compress the arrays of a model, and return the compressed arrays."""
    def run(**arrays):
        (tmp_path / 'model.json').write_text('{"dtype": "float32"}')
        numpy.savez(tmp_path / 'model.npz', **arrays)
        out = tmp_path / 'deep' / 'copy'
        compress.main(['--model', str(tmp_path), '--out', str(out)])
        assert json.loads((out / 'model.json').read_text()) == {
            'dtype': 'float32'}
        with numpy.load(out / 'model.npz') as copy:
            return dict(copy)
    return run


def test_float16(compressed, tmp_path):
    W = numpy.random.RandomState(0).randn(200, 300).astype('f')
    copy = compressed(W=W, b=numpy.zeros(300), n=numpy.array(7))
    assert copy['W'].dtype == copy['b'].dtype == 'e' and copy['n'] == 7
    numpy.testing.assert_allclose(copy['W'], W, 1e-3, 1e-6)
    assert (tmp_path / 'deep/copy/model.npz').stat().st_size < .5 * (
        tmp_path / 'model.npz').stat().st_size


def test_too_large_for_float16(compressed, tmp_path, error_of):
    compressed(W=numpy.ones(2))
    numpy.savez(tmp_path / 'model.npz', W=numpy.array([1., 7e4]))
    assert 'does not fit into float16: overflow' in error_of(
        compress.main, '--model', tmp_path, '--out', tmp_path / 'deep/copy')


def test_no_model(tmp_path, error_of):
    assert 'model.npz' in error_of(
        compress.main, '--model', tmp_path, '--out', tmp_path)
