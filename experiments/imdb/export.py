"""Write a model as ONNX: ``python -m experiments.imdb.export --help``."""
import numpy

from experiments.common import cli
from experiments.common import exporting
from experiments.imdb.model import load
from experiments.imdb.model import PRETRAINED
from qrnn import onnx_export


def main(argv=None):
    """Write a trained classifier as an ONNX model."""
    args = exporting.parse('imdb', (
        'Write the model as ONNX. Its inputs are the word numbers of reviews '
        'and their lengths; its outputs are the logit and the probability '
        'that a review is positive.'), argv, PRETRAINED)
    model, description = load(args.model)
    exporting.write(args, {'': export(model, description['words'])})


def export(model, words):
    """Return a classifier as an ONNX model.

    The inputs of the ONNX model are int64: ``words``, ``(B, T)``, padded with
    -1, and ``lengths``, ``(B,)``. The outputs are ``logit``, ``(B,)``, and
    ``probability``, ``(B,)``, the probability that a review is positive. The
    metadata contain the vocabulary as JSON, with the key ``'words'``.

    Raises:
        UserError: If the classifier does not consist of QRNN layers over word
            vectors.

    """
    exporting.prepare(model, model.rnn)
    graph = onnx_export.Graph('sentiment')
    numbers = graph.input('words', numpy.int64, ('batch', 'time'))
    lengths = graph.input('lengths', numpy.int64, ('batch',))
    x = exporting.add_embedding(graph, model.embed, numbers)
    h = onnx_export.add_link(graph, model.rnn, x, lengths)
    last = onnx_export.add_last_step(graph, h, lengths)
    logit = graph.add('Squeeze', exporting.add_linear(
        graph, model.output, last), graph.integers(1))
    dtype = model.output.W.dtype
    graph.output('logit', logit, dtype, ('batch',))
    graph.output(
        'probability', graph.add('Sigmoid', logit), dtype, ('batch',))
    return graph.model(exporting.metadata(words=words))


if __name__ == '__main__':
    cli.run(main)
