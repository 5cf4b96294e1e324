"""Write a model as ONNX: ``python -m experiments.iwslt.export --help``."""
import numpy

from experiments.common import cli
from experiments.common import exporting
from experiments.iwslt.model import load
from qrnn import onnx_export


def main(argv=None):
    """Write a trained translator as two ONNX models."""
    args = exporting.parse('iwslt', (
        'Write the model as two ONNX models: an encoder, which reads German '
        'sentences, and a step of the decoder, whose inputs are the outputs '
        'of the encoder, the previous characters and the state, and whose '
        'outputs are log-probabilities of the next characters and the next '
        'state. '
        '--out model.onnx writes model-encoder.onnx and model-decoder.onnx.'),
        argv)
    model, characters, description = load(args.model)
    exporting.write(args, export(model, characters, description['settings']))


def export(model, characters, settings):
    """Return a translator as two ONNX models: encoder and decoder step.

    The keys of the returned dict are suffixes of file names: ``'-encoder'``
    and ``'-decoder'``.

    The inputs of the encoder are int64: ``source``, ``(B, S)``, the indices of
    characters in reverse order, padded with -1; and ``lengths``, ``(B,)``. The
    outputs are ``memory`` and, for each layer i of the decoder, ``bias_i``.

    The inputs of the decoder are the outputs of the encoder, ``lengths``, and
    int64 ``target``, ``(B,)``, the indices of the previous characters, or 0 at
    the start. All elements of ``target`` may share a single source. The output
    is ``log_probability``, ``(B, V)``. The state is an input and an output, as
    in :func:`qrnn.onnx_export.export`.

    The metadata of both models contain ``characters`` and ``settings`` as
    JSON.
    """
    exporting.prepare(model, model.encoder, model.decoder)
    dtype, m = model.output.W.dtype, model.output.W.shape[1]
    metadata = exporting.metadata(
        characters=list(characters), settings=settings)

    graph = onnx_export.Graph('encoder')
    source = graph.input('source', numpy.int64, ('batch', 'source'))
    lengths = graph.input('lengths', numpy.int64, ('batch',))
    encoded = onnx_export.add_encoder(
        graph, model.encoder, model.decoder,
        exporting.add_embedding(graph, model.embed, source), lengths)
    sizes = [layer.b.size for layer in model.decoder]
    for i, layer in enumerate(encoded):
        graph.output(f'bias_{i}', layer.bias, dtype, ('batch', sizes[i]))
    graph.output('memory', encoded[-1].h, dtype, ('batch', 'source', m))
    encoder = graph.model(metadata)

    graph = onnx_export.Graph('decoder')
    target = graph.input('target', numpy.int64, ('batch',))
    encoded = [onnx_export.Encoded(
        graph.input(f'bias_{i}', dtype, ('sources', size)))
        for i, size in enumerate(sizes)]
    encoded[-1] = encoded[-1]._replace(
        h=graph.input('memory', dtype, ('sources', 'source', m)),
        lengths=graph.input('lengths', numpy.int64, ('sources',)))
    h = onnx_export.add_link(
        graph, model.decoder,
        exporting.add_embedding(graph, model.embed, target), state=True,
        encoded=encoded, one_step=True)
    logits = exporting.add_linear(graph, model.output, h)
    graph.output(
        'log_probability', graph.add('LogSoftmax', logits), dtype,
        ('batch', len(characters)))
    return {'-encoder': encoder, '-decoder': graph.model(metadata)}


if __name__ == '__main__':
    cli.run(main)
