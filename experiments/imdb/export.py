"""Write a model as ONNX: ``python -m experiments.imdb.export --help``."""
import json

import numpy

from experiments.common import errors
from experiments.common import exporting
from experiments.common.errors import Problem
from experiments.imdb import model as model_module
from qrnn import onnx_export
from qrnn import QRNNStack


def main(argv=None):
    """Write a trained classifier as an ONNX model."""
    exporting.main(
        'imdb', model_module.load, export,
        'It takes the numbers of the words of each review and how many there '
        'are, and gives the probability that it is positive.', argv)


def export(model, words):
    """Return a classifier as an ONNX model.

    Its inputs are int64 ``words``, ``(B, T)``, padded with -1, and
    ``lengths``, ``(B,)``; its outputs ``logit`` and ``probability`` (that a
    review is positive), both ``(B,)``. A review without words has the bias
    as its logit.

    Args:
        model (SentimentClassifier): The classifier.
        words (list of str): The vocabulary, which goes with the model as
            JSON, under ``'words'`` of its metadata.

    Returns:
        onnx.ModelProto: The model.

    Raises:
        Problem: If its layers are not QRNN layers.

    """
    rnn = getattr(model, 'rnn', None)
    if not isinstance(rnn, QRNNStack):
        raise Problem('only a classifier with QRNN layers, such as those of '
                      '--config qrnn, can be exported')
    graph = onnx_export.Graph('sentiment')
    numbers = graph.input('words', numpy.int64, ('batch', 'time'))
    lengths = graph.input('lengths', numpy.int64, ('batch',))
    # The padding's number, -1, is that of the last row: zeros.
    table = numpy.pad(model.embed.W.array, ((0, 1), (0, 0)))
    x = graph.add('Gather', graph.constant(table), numbers, axis=0)
    h = onnx_export.add_link(graph, rnn, x, lengths)
    # Without a word it is the last step, whose output is 0.
    last = graph.add('GatherND', h, graph.add(
        'Unsqueeze', graph.add('Sub', lengths, graph.integers(1)),
        graph.integers(1)), batch_dims=1)
    logit = graph.add('Squeeze', graph.add(
        'Gemm', last, graph.constant(model.output.W.array),
        graph.constant(model.output.b.array), transB=1), graph.integers(1))
    graph.output('logit', logit, table.dtype, ('batch',))
    graph.output('probability', graph.add('Sigmoid', logit), table.dtype,
                 ('batch',))
    return graph.model({'words': json.dumps(words)})


if __name__ == '__main__':
    errors.run(main)
