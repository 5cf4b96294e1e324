"""Translation and text generation, compared with lower bounds on time.

For translation, the bound is the time of its matrix products. For text
generation, the bounds are the times of matrix products and of reading weights.
"""
import chainer
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from experiments.iwslt import model as iwslt_model
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt.data import Characters
from experiments.iwslt.data import EOS
from experiments.ptb import model as ptb_model
from experiments.ptb.generate import generate


_N_CHARACTERS = 187
_CALLS = 20  # number of words that a timed call generates


@benchmark('decode')
def decode(device, config=iwslt_model.CONFIGS['qrnn'],
           language_config=ptb_model.CONFIGS['qrnn'], n_sentences=64,
           n_words=10000):
    """Translation and text generation, compared with lower bounds on time."""
    yield _translation(device, config, n_sentences)
    yield _generation(device, language_config, n_words)


def _translation(device, config, n_sentences):
    numpy.random.seed(0)
    search = Search()
    model = _FixedLength(config, _N_CHARACTERS)
    model.to_device(device)
    characters = Characters([EOS] + [
        chr(0x100 + i) for i in range(_N_CHARACTERS - 1)])
    # The lengths are distributed as in IWSLT: median 84, mean 107.
    lengths = numpy.random.lognormal(
        numpy.log(84), .7, n_sentences).astype(int) + 1
    lines = [''.join(numpy.random.choice(list(characters)[1:], n))
             for n in lengths]

    def run():
        model.batches.clear()
        return list(translate(model, characters, lines, search))

    def check():
        for (best,), n in zip(run(), lengths):
            assert len(best.text) + 1 == _target_length(n), (best, n)

    run()
    return Comparison(
        {'model': 'iwslt', 'sentences': n_sentences, 'beam': search.width},
        {'translate': run, 'matrix products': _products(
            config, search.width, list(model.batches), device.xp)}, check)


def _target_length(n_source):
    """Return the number of characters of a translation, including EOS."""
    return 9 * n_source // 10 + 1


class _FixedLength(iwslt_model.Translator):
    """An untrained translator whose output lengths depend only on the input.

    ``batches`` contains a pair for each batch: the shape of the source array,
    and a list with the number of unfinished sentences at each step.
    """

    def __init__(self, config, n_characters):
        super().__init__(config, n_characters)
        self.batches = []

    def encode(self, source, lengths):
        super().encode(source, lengths)
        self.batches.append((source.shape, []))
        self._ends = _target_length(numpy.array(
            chainer.backends.cuda.to_cpu(lengths)))

    def step(self, y):
        log_p, n_steps = super().step(y), self.batches[-1][1]
        n_steps.append(len(self._ends))
        ends = self._ends == len(n_steps)
        self._ends = self._ends[~ends]
        here = self.xp.asarray(numpy.repeat(ends, len(y) // len(ends)))
        log_p.array[here] = -1e9
        log_p.array[:, 0] = self.xp.where(here, 0, -1e9)
        return log_p


def _products(config, width, batches, xp):
    """Return a function that computes a translation's matrix products."""
    m = config.n_units
    sizes = [config.n_embedding] + (len(config.kernel_sizes) - 1) * [m]
    encoder = [(k * n, 3 * m) for k, n in zip(config.kernel_sizes, sizes)]
    states = len(sizes) * [(m, 3 * m)]
    decoder = [(config.decoder_kernel_size * n, 3 * m) for n in sizes] + [
        (2 * m, m), (m, _N_CHARACTERS)]
    shapes = {*encoder, *states, *decoder}
    most = max(max(B * S, B * width) for (B, S), _ in batches)
    matrices = {shape: tuple(xp.full(each, .1, 'f') for each in (
        (most, shape[0]), shape, (most, shape[1]))) for shape in shapes}
    weights = [matrices[shape][1].copy() for shape in decoder]
    sources = [xp.full((B, S, m), .1, 'f') for (B, S), _ in batches]

    def multiply(rows, shape, W=None):
        x, shared, y = matrices[shape]
        xp.matmul(x[:rows], shared if W is None else W, out=y[:rows])

    def products():
        for ((B, S), n_sentences), source in zip(batches, sources):
            for shape in encoder:
                multiply(B * S, shape)
            for shape in states:
                multiply(B, shape)
            for R in n_sentences:
                for shape, W in zip(decoder, weights):
                    multiply(R * width, shape, W)
                query = matrices[2 * m, m][2][:R * width].reshape(R, width, m)
                scores = xp.matmul(query, source[:R].swapaxes(1, 2))
                xp.matmul(scores, source[:R])

    return products


def _generation(device, config, n_words):
    numpy.random.seed(0)
    model = ptb_model.LanguageModel(config, n_words)
    model.to_device(device)
    random = numpy.random.RandomState(0)
    # The embedding is excluded, because a step reads only one row of it.
    weights = [p.array for name, p in model.namedparams()
               if p.array.ndim > 1 and not name.startswith('/embed')]

    def run():
        return list(generate(model, [], 0, _CALLS, 1., random))

    def read():
        for _ in range(_CALLS):
            for W in weights:
                row = W.ravel()
                row.dot(row)

    def multiply():
        for _ in range(_CALLS):
            for W, x in zip(weights, inputs):
                device.xp.matmul(x, W)

    weights = [W.reshape(-1, W.shape[-1]) for W in weights]
    inputs = [device.xp.full((1, len(W)), .1, 'f') for W in weights]

    def check():
        words = run()
        assert len(words) == _CALLS and len(set(words)) > 1, words

    return Comparison(
        {'model': 'ptb', 'words': _CALLS,
         'megabytes': round(sum(W.nbytes for W in weights) / 1e6, 1)},
        {'generate': run, 'reading the weights': read,
         'matrix products': multiply}, check, calls=_CALLS)
