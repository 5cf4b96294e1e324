"""Write a model as ONNX: ``python -m experiments.ptb.export --help``."""
import numpy

from experiments.common import cli
from experiments.common import exporting
from experiments.ptb.model import load
from qrnn import onnx_export


def main(argv=None):
    """Write a trained language model as an ONNX model."""
    args = exporting.parse('ptb', (
        'Write the model as ONNX. Its inputs are the numbers of words and the '
        'state after the previous words; its outputs are the logits of the '
        'next words and the next state.'), argv)
    model, description = load(args.model)
    exporting.write(args, {'': export(model, description['words'])})


def export(model, words):
    """Return the ONNX model of a language model.

    The input is ``words``, int64, ``(B, T)``. The output is ``logits``,
    ``(B, T, V)``. The state is an input and an output, as in
    :func:`qrnn.onnx_export.export`. By default, the initial state is used. The
    metadata contain the vocabulary as JSON, with the key ``'words'``.
    """
    exporting.prepare(model, model.rnn)
    graph = onnx_export.Graph('language_model')
    numbers = graph.input('words', numpy.int64, ('batch', 'time'))
    x = exporting.add_embedding(graph, model.embed, numbers)
    h = onnx_export.add_link(graph, model.rnn, x, state=True)
    graph.output('logits', exporting.add_linear(graph, model.output, h),
                 model.output.W.dtype, ('batch', 'time', len(words)))
    return graph.model(exporting.metadata(words=words))


if __name__ == '__main__':
    cli.run(main)
