"""Tests that QRNN links behave like the LSTM links that they replace."""
import warnings

import chainer
import chainer.functions as F
import chainer.links as L
import numpy
import pytest

from qrnn import NStepBiQRNN
from qrnn import NStepQRNN
from qrnn import QRNN
from qrnn_tests.helpers import assert_equal
from qrnn_tests.helpers import randomize
from qrnn_tests.helpers import uniform


T, B, n, m = 7, 3, 4, 5


@pytest.mark.parametrize('cut', range(T + 1))
@pytest.mark.parametrize('n_layers', [1, 2, 3])
@pytest.mark.parametrize('link', [L.NStepLSTM, NStepQRNN])
def test_cut_anywhere(link, n_layers, cut):
    rnn = randomize(link(n_layers, n, m, 0.))
    xs = [uniform(T, n) for _ in range(B)]
    hx, cx = uniform(2, n_layers, B, m)
    whole = rnn(hx, cx, xs)
    h, c, first = rnn(hx, cx, [x[:cut] for x in xs]) if cut else (hx, cx, [])
    if cut < T:  # Chainer's links reject empty sequences
        h, c, second = rnn(h, c, [x[cut:] for x in xs])
        first = [F.concat(ys, axis=0) for ys in zip(first, second)] or second
    assert_equal([h, c, *first], [*whole[:2], *whole[2]])


@pytest.mark.parametrize('cut', range(1, T))
@pytest.mark.parametrize('link', [L.NStepBiLSTM, NStepBiQRNN])
def test_cut_anywhere_in_one_direction(link, cut):
    """Each direction of a layer can continue from its last state."""
    rnn = randomize(link(1, n, m, 0.))
    xs = [uniform(T, n) for _ in range(B)]
    whole = F.stack(rnn(None, None, xs)[2]).array
    parts = [x[:cut] for x in xs], [x[cut:] for x in xs]
    for direction, (one, other) in enumerate([parts, parts[::-1]]):
        h, c, begun = rnn(None, None, one)
        # The other direction starts from zero.
        others = numpy.arange(2) != direction
        for state in h, c:
            state.array[others] = 0
        _, _, ended = rnn(h, c, other)
        ys = [begun, ended] if direction == 0 else [ended, begun]
        y = F.concat([F.stack(each) for each in ys], axis=1).array
        channels = slice(direction * m, (direction + 1) * m)
        assert_equal(y[:, :, channels], whole[:, :, channels])


@pytest.mark.parametrize('cut', range(1, T))
@pytest.mark.parametrize('link', [L.LSTM, QRNN])
def test_state_set_anywhere(link, cut):
    rnn = randomize(link(n, m))
    x = uniform(T, B, n)
    whole = [rnn(step) for step in x]
    rnn.reset_state()
    for step in x[:cut]:
        rnn(step)
    c, h = rnn.c, rnn.h
    rnn.reset_state()
    rnn(uniform(B, n))
    rnn.set_state(c, h)
    assert_equal([rnn(step) for step in x[cut:]], whole[cut:])


# Warnings if the filter uses inputs that the given state does not include

@pytest.mark.parametrize('kernel_size, is_warned', [
    (None, False), (1, False), ((1, 3), False), (2, True), ((3, 1), True)])
def test_warns_once_if_hx_lacks_inputs(kernel_size, is_warned):
    rnn = NStepQRNN(2, n, m, 0., kernel_size=kernel_size)
    xs = [uniform(T, n)]
    h, c, _ = rnn(None, None, xs)
    with warnings.catch_warnings(record=True) as caught:
        # A warning is shown once for each line that causes it.
        warnings.simplefilter('default')
        for _ in range(3):
            h, c, _ = rnn(h, c, xs)
    assert len(caught) == is_warned
    for warning in caught:
        assert warning.filename == __file__
        assert f'(kernel_size {rnn[0].kernel_size})' in str(warning.message)


@pytest.mark.parametrize('kernel_size', [1, 2])
def test_warns_once_if_c_lacks_inputs(kernel_size):
    rnn = QRNN(n, m, kernel_size=kernel_size)
    rnn(uniform(B, n))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        for _ in range(3):
            rnn.set_state(rnn.c, rnn.h)
    assert len(caught) == kernel_size - 1
    assert all('(kernel_size 2)' in str(w.message) for w in caught)


# Seq2seq follows Chainer's example. In training, one call of the decoder
# receives whole sentences. In translation, each call receives one word of each
# sentence and continues from the previous states.

EOS = 0
N_WORDS = 20


class Seq2seq(chainer.Chain):

    def __init__(self, rnn, n_layers, n_units, **options):
        super().__init__()
        with self.init_scope():
            self.embed_x = L.EmbedID(N_WORDS, n_units)
            self.embed_y = L.EmbedID(N_WORDS, n_units)
            self.encoder = rnn(n_layers, n_units, n_units, 0., **options)
            self.decoder = rnn(n_layers, n_units, n_units, 0., **options)
            self.output = L.Linear(n_units, N_WORDS)

    def encode(self, xs):
        return self.encoder(None, None, [self.embed_x(x[::-1]) for x in xs])

    def decode(self, h, c, ys):
        """Return h, c and, for each step, the logits of the next word."""
        h, c, hs = self.decoder(h, c, [self.embed_y(y) for y in ys])
        return h, c, [self.output(each) for each in hs]

    def forward(self, xs, ys):
        h, c, _ = self.encode(xs)
        _, _, ps = self.decode(
            h, c, [numpy.append(EOS, y).astype('i') for y in ys])
        return F.softmax_cross_entropy(
            F.concat(ps, axis=0),
            numpy.concatenate([numpy.append(y, EOS) for y in ys]).astype('i'))

    def translate(self, xs, max_length):
        h, c, _ = self.encode(xs)
        words = numpy.full((len(xs), 1), EOS, 'i')
        result = []
        for _ in range(max_length):
            h, c, ps = self.decode(h, c, list(words))
            words = F.stack(ps).array.argmax(axis=2).astype('i')
            result.append(words)
        return _until_eos(numpy.concatenate(result, axis=1))

    def translate_by_prefixes(self, xs, max_length):
        h, c, _ = self.encode(xs)
        words = numpy.full((len(xs), 1), EOS, 'i')
        for _ in range(max_length):
            _, _, ps = self.decode(h, c, list(words))
            last = F.stack(ps).array[:, -1:].argmax(axis=2)
            words = numpy.append(words, last, axis=1).astype('i')
        return _until_eos(words[:, 1:])


def _until_eos(sentences):
    return [words.tolist()[:[*words, EOS].index(EOS)] for words in sentences]


def sentences(n_sentences):
    """Return random sentences and their translations.

    A translation is the reversed sentence, with each word w replaced by
    N_WORDS - w.
    """
    xs = [numpy.random.randint(1, N_WORDS, length).astype('i')
          for length in numpy.random.randint(2, 6, n_sentences)]
    return xs, [(N_WORDS - x[::-1]).astype('i') for x in xs]


@pytest.mark.parametrize('options, is_exact', [
    ({}, True), ({'kernel_size': 1}, True), ({'kernel_size': 2}, False)])
@pytest.mark.filterwarnings('ignore:hx does not include')
def test_translates_word_by_word(options, is_exact):
    """Decoding only the new word equals decoding the whole prefix again.

    If the first layer has ``kernel_size=2``, some translations differ. The
    model is trained first, so that its translations differ between sentences.
    """
    with chainer.using_config('dtype', numpy.float32):
        model = Seq2seq(NStepQRNN, 2, 32, **options)
    optimizer = chainer.optimizers.Adam(.01).setup(model)
    for _ in range(40):
        optimizer.update(model, *sentences(32))
    xs, _ = sentences(150)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        by_words, by_prefixes = (
            translate(xs, 8) for translate in (
                model.translate, model.translate_by_prefixes))
    assert len({tuple(words) for words in by_prefixes}) > 50
    n_alike = sum(map(list.__eq__, by_words, by_prefixes))
    assert (n_alike == 150) == is_exact
