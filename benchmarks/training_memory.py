"""Memory of trainings: whether it grows, and how much a step takes at most."""
import contextlib
import gc
import importlib
import os
import tempfile
import tracemalloc

import chainer
from chainer.training import updaters
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Measurement
from experiments.imdb import model as imdb_model
from experiments.imdb import train as imdb_train
from experiments.iwslt import model as iwslt_model
from experiments.ptb import model as ptb_model
from experiments.ptb import train as ptb_train
from qrnn import LSTMLayer
from qrnn import QRNNLayer


_GROWTH = {  # arguments of the trainings that are watched
    name: ['--config', 'small', '--epoch', '1000', '--snapshot-every', '100']
    for name in ('ptb', 'imdb', 'iwslt')}
_WARM_UP = 400  # iterations, more than an epoch of each
_ITERATIONS = 1000  # that count
_B = 4  # sequences in a step
_STEPS = 500, 1000, 2000, 4000, 8000
_SIZE = 32  # channels of a layer


def _summary(rows):
    peaks = {}
    for row in rows:
        peaks.setdefault(row['model'], []).append(row)
    return '\n'.join(
        f"{model}: {first['bytes_per_element']:.0f} bytes an element at T = "
        f"{first['T']}, {last['bytes_per_element']:.0f} at {last['T']}"
        for model, (first, *_, last) in peaks.items())


@benchmark('memory', _summary)
def memory(device):
    """Peak of the memory that a training step allocates, over T.

    Bytes an element are those of a step for each element of a layer's output,
    B x T x 32, in all of the model.
    """
    if device.xp is not numpy:
        return  # CuPy's pool is not seen from here
    for name, make in _STEPS_OF.items():
        for T in _STEPS:
            n_bytes = peak(make(T))
            yield Measurement(
                {'model': name, 'B': _B, 'T': T, 'C': _SIZE},
                {'bytes': n_bytes,
                 'bytes_per_element': n_bytes / (_B * T * _SIZE)})


@benchmark('memory-growth')
def memory_growth(device):
    """Growth of memory and objects over 1,000 iterations."""
    if device.xp is numpy:
        for experiment in _GROWTH:
            yield Measurement(
                {'experiment': experiment, 'iterations': _ITERATIONS},
                growth(experiment))


def growth(experiment):
    """Return the growth of memory and objects over a training's iterations.

    Returns:
        dict: Bytes of resident memory, bytes and objects allocated.

    """
    module = importlib.import_module(f'experiments.{experiment}.train')
    found = []

    def look(updater):
        if updater.iteration in (_WARM_UP, _WARM_UP + _ITERATIONS):
            _free_last_batch(updater.get_optimizer('main').target)
            found.append(_in_use())
        if len(found) == 2:
            raise _Enough

    with tempfile.TemporaryDirectory() as out, _traced(), _watched(look):
        with contextlib.suppress(_Enough):
            module.main(_GROWTH[experiment] + ['--out', out])
    before, after = found
    return {name: after[name] - before[name] for name in after}


def peak(step):
    """Return the peak of the bytes that are allocated during a step."""
    step()  # once before: what stays is no part of it
    with _traced():
        before = tracemalloc.get_traced_memory()[0]
        step()
        return tracemalloc.get_traced_memory()[1] - before


class _Enough(Exception):
    pass


@contextlib.contextmanager
def _watched(look):
    """Call a function with the updater after every iteration."""
    update = updaters.StandardUpdater.update

    def updated(self):
        update(self)
        look(self)

    updaters.StandardUpdater.update = updated
    try:
        yield
    finally:
        updaters.StandardUpdater.update = update


@contextlib.contextmanager
def _traced():
    gc.collect()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def _free_last_batch(model):
    """Free the last batch, as the next one would: they differ in size."""
    for link in model.links():
        if isinstance(link, (LSTMLayer, QRNNLayer)) and not link.save_state:
            link.init()


def _in_use():
    gc.collect()
    with open('/proc/self/statm') as f:
        pages = int(f.read().split()[1])
    return {'resident': pages * os.sysconf('SC_PAGE_SIZE'),
            'allocated': tracemalloc.get_traced_memory()[0],
            'objects': len(gc.get_objects())}


def _layer(pooling, **options):
    def make(T):
        layer = QRNNLayer(_SIZE, _SIZE, pooling=pooling, **options)
        x = chainer.Variable(numpy.zeros((_B, T, _SIZE), 'f'))
        gh = numpy.ones_like(x.array)

        def step():
            layer.cleargrads()
            x.cleargrad()
            h = layer(x)
            h.grad = gh
            h.backward()
            layer.reset_state()

        return step
    return make


def _ptb(T):
    # As many words for each channel as the paper's model has
    config = ptb_model.Config(n_units=_SIZE, zoneout=.1)
    n_words = 10000 * _SIZE // 640
    model = ptb_model.LanguageModel(config, n_words)
    optimizer = ptb_train.setup_optimizer(model, config)
    x = numpy.arange(_B * T, dtype='i').reshape(_B, T) % n_words

    def step():
        model.reset_state()
        optimizer.update(model, x, x)
        model.unchain_state()

    return step


def _imdb(T):
    config = imdb_model.Config(n_units=_SIZE, embed_size=_SIZE)
    model = imdb_model.build(config, list(map(str, range(100))))
    optimizer = imdb_train.setup_optimizer(model, config)
    words = numpy.arange(_B * T, dtype='i').reshape(_B, T) % 100
    lengths = numpy.maximum(1, T - numpy.arange(_B, dtype='i'))
    labels = numpy.arange(_B, dtype='i') % 2
    return lambda: optimizer.update(model, words, lengths, labels)


def _iwslt(n_source):
    def make(T):
        config = iwslt_model.Config(n_units=_SIZE, n_embedding=_SIZE)
        model = iwslt_model.Translator(config, 100)
        optimizer = chainer.optimizers.Adam().setup(model)
        S = n_source or T
        source, target = (
            numpy.arange(_B * n, dtype='i').reshape(_B, n) % 100
            for n in (S, T))
        return lambda: optimizer.update(
            model, source, target, numpy.full(_B, S), numpy.full(_B, T))
    return make


#: Functions from T to a step, by name.
_STEPS_OF = {
    **{'QRNNLayer, ' + pooling: _layer(pooling)
       for pooling in ('f', 'fo', 'if', 'ifo')},
    'QRNNLayer, fo, k = 6': _layer('fo', kernel_size=6),
    'QRNNLayer, fo, zoneout': _layer('fo', zoneout=.1),
    'ptb': _ptb,
    'imdb': _imdb,
    'iwslt, S = 200': _iwslt(200),
    'iwslt, S = T': _iwslt(None),
}
