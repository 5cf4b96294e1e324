"""Makes an ONNX model: ``python -m experiments.ptb.export --help``."""
import json

import numpy

from experiments.common import errors
from experiments.common import exporting
from experiments.common.errors import Problem
from experiments.ptb import model as model_module
from qrnn import onnx_export
from qrnn import QRNNStack


def main(argv=None):
    """Writes a trained language model as an ONNX model."""
    exporting.main(
        'ptb', model_module.load, export,
        'It takes the numbers of words and the state that the last words '
        'left, and gives the scores of the words that may follow each of '
        'them, and the next state.', argv)


def export(model, words):
    """Makes an ONNX model of a language model.

    Its input is int64 ``words``, ``(B, T)``, its output ``scores``,
    ``(B, T, V)``, logarithms of odds. The state goes in and out as
    :func:`qrnn.onnx_export.export` says; left out, it is that of a beginning.

    Args:
        model (LanguageModel): The model.
        words (list of str): The vocabulary, which goes with the model as
            JSON, under ``'words'`` of its metadata.

    Returns:
        onnx.ModelProto: The model.

    """
    if not isinstance(model.rnn, QRNNStack):
        raise Problem('only a model with QRNN layers, such as those of '
                      '--config qrnn, can be exported')
    graph = onnx_export.Graph('language_model')
    numbers = graph.input('words', numpy.int64, ('batch', 'time'))
    table, W, b = (each.array for each in (
        model.embed.W, model.output.W, model.output.b))
    x = graph.add('Gather', graph.constant(table), numbers, axis=0)
    h = onnx_export.add_link(graph, model.rnn, x, state=True)
    scores = graph.add('Add', graph.add('MatMul', h, graph.constant(W.T)),
                       graph.constant(b))
    graph.output('scores', scores, W.dtype, ('batch', 'time', len(W)))
    return graph.model({'words': json.dumps(words)})


if __name__ == '__main__':
    errors.run(main)
