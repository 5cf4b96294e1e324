"""Inference of exported models in onnxruntime, compared with Chainer."""
import os

import chainer
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from experiments.common import exporting
from experiments.imdb import export as imdb_export
from experiments.imdb import model as imdb_model
from experiments.iwslt import export as iwslt_export
from experiments.iwslt import model as iwslt_model
from experiments.iwslt.data import Characters
from experiments.ptb import export as ptb_export
from experiments.ptb import model as ptb_model


_CONFIGS = {'imdb': imdb_model.CONFIGS['qrnn'],
            'ptb': ptb_model.CONFIGS['qrnn'],
            'iwslt': iwslt_model.CONFIGS['qrnn']}
_SHAPES = {'imdb': [(1, 268), (24, 268)],  # T: mean review length
           'ptb': [(1, 1), (20, 105)],  # T = 1: generation; 105: training
           'iwslt-encoder': [(1, 103), (16, 103)],  # T: mean source length
           'iwslt-decoder': [(1, 1), (16, 1)]}  # T = 1: generation


@benchmark('onnx')
def onnx_models(device, configs=_CONFIGS, n_words=10000, n_characters=187):
    """Inference in onnxruntime (int8 and float32), compared with Chainer."""
    if not is_available(device):
        return
    for name, make, size in (('imdb', _classifier, n_words),
                             ('ptb', _language_model, n_words),
                             ('iwslt', _translator, n_characters)):
        numpy.random.seed(0)
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            for arguments in make(configs[name], size):
                yield from _comparisons(*arguments)


def is_available(device):
    """Return whether onnxruntime can be measured; if not, print the reason."""
    if device.xp is not numpy:
        print('This benchmark runs on the CPU only; use --device -1.')
        return False
    try:
        import onnx  # NOQA  needed for export
        import onnxruntime  # NOQA
    except ImportError:
        print('This benchmark requires onnx and onnxruntime; install them '
              'with "pip install onnx onnxruntime".')
        return False
    return True


def load_session(exported):
    """Return an onnxruntime session with as many threads as NumPy's BLAS."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(  # 0: a thread per core
        os.environ.get('OPENBLAS_NUM_THREADS')
        or os.environ.get('OMP_NUM_THREADS', 0))
    return onnxruntime.InferenceSession(
        exported.SerializeToString(), options,
        providers=['CPUExecutionProvider'])


def _comparisons(name, exported, outputs, prepare):
    models = {'onnxruntime int8': exporting.quantize(exported),
              'onnxruntime': exported}
    sessions = {form: load_session(model) for form, model in models.items()}
    megabytes = {form: model.ByteSize() / 1e6
                 for form, model in models.items()}
    for B, T in _SHAPES[name]:
        inputs, call = prepare(B, T)
        yield _comparison(
            {'model': name, 'B': B, 'T': T, 'megabytes': megabytes},
            sessions, outputs, inputs, call)


def _comparison(case, sessions, outputs, inputs, call):
    def in_chainer():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            return call().array

    contestants = {
        name: lambda session=session: session.run(outputs, inputs)[0]
        for name, session in sessions.items()}

    def check():
        expected, int8, float32 = (
            run() for run in (in_chainer, *contestants.values()))
        numpy.testing.assert_allclose(
            float32, expected, atol=1e-5, rtol=1e-5)
        numpy.testing.assert_allclose(int8, expected, atol=.1)

    return Comparison(case, {**contestants, 'Chainer': in_chainer}, check)


def _classifier(config, n_words):
    """Yield ``(name, exported, outputs, prepare)`` for ``_comparisons``.

    ``outputs`` is a list of output names. ``prepare(B, T)`` returns inputs of
    the exported model, and a function that runs the model in Chainer on the
    same inputs.
    """
    words = list(map(str, range(n_words)))
    model = imdb_model.build(config, words)

    def prepare(B, T):
        words = numpy.random.randint(0, n_words, (B, T))
        lengths = numpy.full(B, T)
        return {'words': words, 'lengths': lengths}, lambda: model.logits(
            words.astype('i'), lengths)

    yield 'imdb', imdb_export.export(model, words), ['logit'], prepare


def _language_model(config, n_words):
    model = ptb_model.LanguageModel(config, n_words)
    exported = ptb_export.export(model, list(map(str, range(n_words))))

    def prepare(B, T):
        words = numpy.random.randint(0, n_words, (B, T))

        def call():
            model.reset_state()
            return model.output(
                model.rnn(model.embed(words.astype('i'))), n_batch_axes=2)

        return {'words': words}, call

    yield 'ptb', exported, _outputs(exported, 'logits'), prepare


def _translator(config, n_characters):
    characters = Characters('\n' + ''.join(
        map(chr, range(0x100, 0xff + n_characters))))
    model = iwslt_model.Translator(config, len(characters))
    exported = iwslt_export.export(model, characters, {})
    encoder, decoder = exported['-encoder'], exported['-decoder']

    def encode(B, T):
        source = numpy.random.randint(0, len(characters), (B, T))
        lengths = numpy.full(B, T)
        return {'source': source, 'lengths': lengths}, lambda: (
            model.encoder(model.embed(source.astype('i')), lengths))

    def decode(B, T):
        inputs, _ = encode(B, _SHAPES['iwslt-encoder'][0][1])
        names = _outputs(encoder, 'memory')
        encoded = dict(zip(names, load_session(encoder).run(names, inputs)))
        target = numpy.zeros(B, int)

        def call():
            model.decoder.reset_state()
            return model.step(target.astype('i'))

        model.encode(inputs['source'].astype('i'), inputs['lengths'])
        return {'target': target, 'lengths': inputs['lengths'],
                **encoded}, call

    yield 'iwslt-encoder', encoder, _outputs(encoder, 'memory'), encode
    yield 'iwslt-decoder', decoder, _outputs(
        decoder, 'log_probability'), decode


def _outputs(exported, first):
    """Return the names of all outputs, with ``first`` at the front.

    The outputs include the state, because Chainer also computes the state.
    """
    return sorted((output.name for output in exported.graph.output),
                  key=lambda name: name != first)
