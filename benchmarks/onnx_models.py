"""Exported models in onnxruntime beside the same models in Chainer."""
import os

import chainer
import numpy

from benchmarks.registry import benchmark
from benchmarks.registry import Comparison
from experiments.imdb import export as imdb_export
from experiments.imdb import model as imdb_model
from experiments.ptb import export as ptb_export
from experiments.ptb import model as ptb_model


_CONFIGS = {'imdb': imdb_model.CONFIGS['qrnn'],
            'ptb': ptb_model.CONFIGS['qrnn']}
_N_WORDS = 10000
_SHAPES = {'imdb': [(1, 268), (24, 268)],  # the mean length of a review
           'ptb': [(1, 1), (20, 105)]}  # a step of generation, and a chunk


@benchmark('onnx')
def onnx_models(device):
    """Inference of two exported models in onnxruntime, over Chainer's."""
    if device.xp is not numpy:
        print('onnxruntime is measured on the CPU only: --device -1.')
        return
    try:
        import onnx  # NOQA  makes the models
        import onnxruntime
    except ImportError:
        print('There is nothing to measure: this needs onnx and onnxruntime.')
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As many threads as NumPy has; 0, as many as there are cores.
    options.intra_op_num_threads = int(
        os.environ.get('OPENBLAS_NUM_THREADS', 0))
    for name, make in ('imdb', _classifier), ('ptb', _language_model):
        numpy.random.seed(0)
        exported, outputs, call = make()
        session = onnxruntime.InferenceSession(
            exported.SerializeToString(), options,
            providers=['CPUExecutionProvider'])
        for B, T in _SHAPES[name]:
            words = numpy.random.randint(0, _N_WORDS, (B, T))
            yield _comparison(name, session, outputs, call, words)


def _comparison(name, session, outputs, call, words):
    inputs = {'words': words}
    if name == 'imdb':
        inputs['lengths'] = numpy.full(len(words), words.shape[1])

    def theirs():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            return call(words.astype('i')).array

    def exported():
        return session.run(outputs, inputs)[0]

    return Comparison(
        {'model': name, 'B': words.shape[0], 'T': words.shape[1]},
        {'onnxruntime': exported, 'Chainer': theirs},
        lambda: numpy.testing.assert_allclose(
            exported(), theirs(), atol=1e-5, rtol=1e-5))


def _classifier():
    """Return an exported model, its outputs, and the same in Chainer."""
    words = list(map(str, range(_N_WORDS)))
    model = imdb_model.build(_CONFIGS['imdb'], words)
    return imdb_export.export(model, words), ['logit'], (
        lambda x: model.logits(x, numpy.full(len(x), x.shape[1], 'i')))


def _language_model():
    model = ptb_model.LanguageModel(_CONFIGS['ptb'], _N_WORDS)
    exported = ptb_export.export(model, list(map(str, range(_N_WORDS))))
    # The state is given out, too, as Chainer's model keeps it.
    outputs = sorted((output.name for output in exported.graph.output),
                     key=lambda name: name != 'logits')

    def call(x):
        model.reset_state()
        return model.output(model.rnn(model.embed(x)), n_batch_axes=2)

    return exported, outputs, call
