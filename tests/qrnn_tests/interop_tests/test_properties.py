"""Export and import of weights with random sizes."""
import os
import tempfile

import numpy
import pytest

from qrnn import interop
from qrnn import NStepQRNN
from qrnn import QRNNLayer
from qrnn import QRNNStack
from qrnn_tests import strategies
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.strategies import arrays
from qrnn_tests.strategies import given
from qrnn_tests.strategies import maybe
from qrnn_tests.strategies import st


sizes = st.integers(1, 4)
windows = st.lists(st.integers(1, 2), min_size=1, max_size=3)
prefixes = st.sampled_from(['', '0.', 'encoder.rnn.'])


@given(st.data(), windows, sizes, sizes, st.sampled_from(['f', 'fo']),
       st.sampled_from(['torchqrnn', 'fastai', 'awd-lstm-lm']), prefixes)
def test_state_dicts(data, kernel_sizes, n, m, pooling, style, prefix):
    """Exported weights are imported and exported again without change."""
    size = len(kernel_sizes), n, m
    links = [QRNNStack(*size, kernel_sizes, pooling=pooling) for _ in '12']
    links += [NStepQRNN(*size, 0., kernel_size=kernel_sizes, pooling=pooling)]
    if len(kernel_sizes) == 1:
        links += [QRNNLayer(n, m, *kernel_sizes, pooling=pooling)]
    first, *others = map(randomize, links)
    arrays = interop.to_state_dict(first, style, prefix)
    strided = {name: data.draw(strategies.layouts(array))
               for name, array in arrays.items()}
    others.append(interop.from_state_dict(
        strided, n, pooling == 'fo', data.draw(maybe(st.just(prefix)))))
    for other in others:
        interop.load_state_dict(strided, other)
        for ours, theirs in zip(first.params(), other.params()):
            numpy.testing.assert_array_equal(ours.array, theirs.array)
        again = interop.to_state_dict(other, style, prefix)
        assert list(again) == list(arrays)
        for name, array in arrays.items():
            numpy.testing.assert_array_equal(again[name], array)


@given(st.data(), st.integers(1, 5), sizes, sizes, prefixes)
def test_chainer_core(data, k, n, m, prefix):
    """Filters are imported from linear layers and from convolutions."""
    names = {1: ['W/W'], 2: ['V/W', 'W/W']}.get(k, ['conv/W'])
    bias = {1: 'W/b', 2: 'V/b'}.get(k, 'conv/b')
    shape = (3 * m, n, k) if k > 2 else (3 * m, n)
    theirs = {prefix + name: data.draw(arrays(*shape)) for name in names}
    theirs[prefix + bias] = data.draw(arrays(3 * m))
    layer = QRNNLayer(data.draw(st.sampled_from([n, None])), m, k)
    interop.load_chainer_core(theirs, layer, prefix)
    W = [theirs[prefix + name] for name in names]
    W = W[0].transpose(2, 1, 0) if k > 2 else [w.T for w in W]
    assert_equal([layer.W, layer.b], [
        numpy.asarray(W, 'f'), theirs[prefix + bias].astype('f')], 0)


kinds = st.sampled_from(['.npz', '.safetensors'])
names = st.lists(st.sampled_from(
    ['a', 'é', '/', '..', '.npy', '\\', '\n']), min_size=1, max_size=3).map(
        ''.join)


@given(st.data(), kinds, st.lists(names, max_size=3, unique=True),
       strategies.dtypes)
def test_files(data, kind, names, dtype):
    """Arrays of any shape, layout and name are written and read."""
    if kind == '.safetensors':
        pytest.importorskip('safetensors')
    written = {
        name: data.draw(st.lists(st.integers(0, 3), max_size=3).flatmap(
            lambda shape: arrays(*shape, dtype=dtype))) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'arrays' + kind)
        interop.write_arrays(path, written)
        read = interop.read_arrays(path)
    assert sorted(read) == sorted(written)
    for name, array in written.items():
        assert read[name].dtype == dtype
        numpy.testing.assert_array_equal(read[name], array)
