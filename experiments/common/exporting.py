"""Shared code of ONNX exports: command line, layers, int8 and files."""
import json
import logging
import os
import tempfile

import numpy

from experiments.common import cli
from experiments.common import commands
from experiments.common.checkpoint import replacing
from qrnn import onnx_export
from qrnn import QRNNStack


def parse(name, description, argv, model=None):
    """Parse the command line of an export, and check required packages.

    ``model`` is the default of ``--model``.
    """
    parser = cli.Parser(f'{name}.export', description=description)
    commands.add_model(parser, model)
    parser.add_argument(
        '--out', '-o', metavar='FILE', default='model.onnx',
        help='file to write (default: %(default)s)')
    parser.add_argument(
        '--int8', action='store_true',
        help='quantize weights and the inputs of matrix products to 8 bits: a '
             'quarter of the size, faster, a little less accurate; requires '
             'onnxruntime')
    args = parser.parse_args(argv)
    with cli.explained('{}', ImportError):
        onnx_export.Graph(name)
        if args.int8:
            _quantization()
    return args


def prepare(model, *stacks):
    """Convert a model with QRNN layers to float32, which all runtimes support.

    Raises:
        UserError: If one of ``stacks`` is not a :class:`~qrnn.QRNNStack`.

    """
    if not all(isinstance(stack, QRNNStack) for stack in stacks):
        raise cli.UserError(
            'the model has layers other than QRNN layers and cannot be '
            'exported; train one with --config qrnn')
    for param in model.params():
        param.array = param.array.astype(numpy.float32, copy=False)


def add_embedding(graph, embed, numbers):
    """Add an ``EmbedID`` to a graph. The index -1 is embedded as zeros."""
    table = numpy.pad(embed.W.array, ((0, 1), (0, 0)))
    return graph.add('Gather', graph.constant(table), numbers, axis=0)


def add_linear(graph, linear, x):
    """Add a ``Linear`` to a graph. It is applied to the last axis."""
    return graph.add(
        'Add', graph.add('MatMul', x, graph.constant(linear.W.array.T)),
        graph.constant(linear.b.array))


def write(args, models):
    """Write ONNX models to files named after ``--out``.

    The keys of ``models`` are inserted before the extension of the file name.
    """
    for suffix, model in models.items():
        base, extension = os.path.splitext(args.out)
        path = base + suffix + extension
        with replacing(path) as f:
            f.write((quantize(model) if args.int8 else model)
                    .SerializeToString())
        print(f'Written to {path}')


def metadata(**values):
    """Return metadata of a model, with values encoded as JSON."""
    return {name: json.dumps(value) for name, value in values.items()}


def quantize(model):
    """Quantize a model to int8 with onnxruntime.

    Embeddings and weights are quantized in advance; weights have a scale for
    each column. Values that are multiplied by weights are quantized at run
    time. Weights have 7 bits (``reduce_range``), because sums of 8-bit
    products saturate on x86 processors without VNNI instructions.
    """
    import onnx
    quantization = _quantization()
    logging.disable(logging.WARNING)  # hide onnxruntime's warnings
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'model.onnx')
            quantization.quantize_dynamic(
                model, path, op_types_to_quantize=['MatMul', 'Gather'],
                per_channel=True, reduce_range=True,
                weight_type=quantization.QuantType.QInt8)
            return onnx.load(path)
    finally:
        logging.disable(logging.NOTSET)


def _quantization():
    try:
        import onnxruntime.quantization
    except ImportError:
        raise ImportError('--int8 requires the package onnxruntime: pip '
                          'install onnxruntime') from None
    return onnxruntime.quantization
