"""Makes an ONNX model: ``python -m experiments.ptb.export --help``."""
import json

import numpy

from experiments.common import cli
from experiments.common.checkpoint import replacing
from experiments.common.cli import UserError
from experiments.ptb.model import load
from qrnn import onnx_export
from qrnn import QRNNStack


def main(argv=None):
    """Write a trained language model as an ONNX model."""
    parser = cli.Parser('ptb.export', description=(
        'Writes the model as ONNX. It takes the numbers of words and the '
        'state that the last words left, and gives the logits of the words '
        'that may follow each of them, and the next state.'))
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
    """Return the ONNX model of a language model.

    Its input is int64 ``words``, ``(B, T)``, its output ``logits``,
    ``(B, T, V)``. The state goes in and out as
    :func:`qrnn.onnx_export.export` says; left out, it is that of a beginning.
    The vocabulary, ``words``, is JSON under that name in its metadata.
    """
    if not isinstance(model.rnn, QRNNStack):
        raise UserError('only a model with QRNN layers, such as those of '
                        '--config qrnn, can be exported')
    for param in model.params():  # few runtimes compute in float16 on a CPU
        param.array = param.array.astype(
            numpy.promote_types(param.dtype, 'f'), copy=False)
    graph = onnx_export.Graph('language_model')
    numbers = graph.input('words', numpy.int64, ('batch', 'time'))
    table, W, b = (each.array for each in (
        model.embed.W, model.output.W, model.output.b))
    x = graph.add('Gather', graph.constant(table), numbers, axis=0)
    h = onnx_export.add_link(graph, model.rnn, x, state=True)
    logits = graph.add('Add', graph.add('MatMul', h, graph.constant(W.T)),
                       graph.constant(b))
    graph.output('logits', logits, W.dtype, ('batch', 'time', len(W)))
    return graph.model({'words': json.dumps(words)})


if __name__ == '__main__':
    cli.run(main)
