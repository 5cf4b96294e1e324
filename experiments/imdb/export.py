"""Write a model as ONNX: ``python -m experiments.imdb.export --help``."""
import json

import numpy

from experiments.common import cli
from experiments.common.checkpoint import replacing
from experiments.common.cli import UserError
from experiments.imdb.model import load
from qrnn import onnx_export
from qrnn import QRNNStack


def main(argv=None):
    """Write a trained classifier as an ONNX model."""
    parser = cli.Parser('imdb.export', description=(
        'Writes the model as ONNX. It takes the numbers of the words of each '
        'review and how many there are, and gives the probability that it is '
        'positive.'))
    cli.add_model(parser)
    parser.add_argument(
        '--out', '-o', metavar='FILE', default='model.onnx',
        help='where to write it (default: model.onnx)')
    args = parser.parse_args(argv)
    model, description = load(args.model)
    with cli.explained('{}', ImportError):
        exported = export(model, description['words'])
    with replacing(args.out) as f:
        f.write(exported.SerializeToString())
    print(f'Written to {args.out}')


def export(model, words):
    """Return a classifier as an ONNX model.

    Its inputs are int64 ``words``, ``(B, T)``, padded with -1, and
    ``lengths``, ``(B,)``; its outputs ``logit`` and ``probability`` (that a
    review is positive), both ``(B,)``. The vocabulary goes with it as JSON,
    under ``'words'`` of its metadata.

    Raises:
        UserError: If its layers are no QRNN layers.

    """
    if not isinstance(model.rnn, QRNNStack):
        raise UserError('only a classifier with QRNN layers, such as those of '
                        '--config qrnn, can be exported')
    for param in model.params():  # few runtimes compute in float16 on a CPU
        param.array = param.array.astype(
            numpy.promote_types(param.dtype, 'f'), copy=False)
    graph = onnx_export.Graph('sentiment')
    numbers = graph.input('words', numpy.int64, ('batch', 'time'))
    lengths = graph.input('lengths', numpy.int64, ('batch',))
    # The padding's number, -1, is that of the last row: zeros.
    table = numpy.pad(model.embed.W.array, ((0, 1), (0, 0)))
    x = graph.add('Gather', graph.constant(table), numbers, axis=0)
    h = onnx_export.add_link(graph, model.rnn, x, lengths)
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
    cli.run(main)
