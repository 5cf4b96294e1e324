"""Growth of memory during training, and peak memory of a training step."""
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


_B = 4  # batch size
_SIZE = 32  # channels of a layer


def _summary(rows):
    peaks = {}
    for row in rows:
        peaks.setdefault(row['model'], []).append(row)
    return '\n'.join(
        f"{model}: {first['bytes_per_element']:.0f} bytes per element at T = "
        f"{first['T']}, {last['bytes_per_element']:.0f} at T = {last['T']}"
        for model, (first, *_, last) in peaks.items())


@benchmark('memory', _summary)
def memory(device, names=None, steps=(500, 1000, 2000, 4000, 8000)):
    """Peak memory of a training step for several numbers of steps T.

    ``bytes_per_element`` is the peak divided by the number of elements of a
    layer's output, B x T x 32.
    """
    if device.xp is not numpy:
        return  # tracemalloc does not trace CuPy's memory
    for name in names or _STEPS_OF:
        for T in steps:
            n_bytes = peak(_STEPS_OF[name](T))
            yield Measurement(
                {'model': name, 'B': _B, 'T': T, 'C': _SIZE},
                {'bytes': n_bytes,
                 'bytes_per_element': n_bytes / (_B * T * _SIZE)})


@benchmark('memory-growth')
def memory_growth(device, experiments=('ptb', 'imdb', 'iwslt'),
                  warm_up=400, n_iterations=1000, options=(
                      '--config', 'small', '--epoch', '1000',
                      '--snapshot-every', '100')):
    """Growth of memory and objects over 1,000 iterations."""
    if device.xp is numpy:
        for experiment in experiments:
            yield Measurement(
                {'experiment': experiment, 'iterations': n_iterations},
                growth(experiment, warm_up, n_iterations, options))


def growth(experiment, warm_up, n_iterations, options):
    """Return the growth of memory and objects over training iterations.

    Args:
        experiment (str): Name of the experiment.
        warm_up (int): Number of iterations before the measurement. It must
            exceed the number of iterations of an epoch.
        n_iterations (int): Number of iterations to measure.
        options (sequence of str): Options of the training script.

    Returns:
        dict: ``'resident'`` and ``'allocated'`` are the growth of memory in
        bytes. ``'objects'`` is the growth of the number of objects.

    """
    module = importlib.import_module(f'experiments.{experiment}.train')
    usages = []

    def measure(updater):
        if updater.iteration in (warm_up, warm_up + n_iterations):
            _free_last_batch(updater.get_optimizer('main').target)
            usages.append(_usage())
        if len(usages) == 2:
            raise _Finished

    with tempfile.TemporaryDirectory() as out, _traced(), _after_update(
            measure):
        with contextlib.suppress(_Finished):
            module.main([*options, '--out', out])
    start, end = usages
    return {name: end[name] - start[name] for name in end}


def peak(step):
    """Return the peak number of bytes that a step allocates."""
    step()  # allocates memory that later steps reuse, such as optimizer states
    with _traced():
        start = tracemalloc.get_traced_memory()[0]
        step()
        return tracemalloc.get_traced_memory()[1] - start


class _Finished(Exception):
    pass


@contextlib.contextmanager
def _after_update(function):
    """Context that calls ``function(updater)`` after every iteration."""
    update = updaters.StandardUpdater.update

    def updated(self):
        update(self)
        function(self)

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
    """Free the arrays of the last batch, which would be counted otherwise."""
    for link in model.links():
        if isinstance(link, (LSTMLayer, QRNNLayer)) and not link.save_state:
            link.init()


def _usage():
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
    # The ratio of vocabulary size to channels is as in the paper's model.
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


#: Maps names to functions that receive T and return a training step.
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
