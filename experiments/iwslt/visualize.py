"""Draw the attention: ``python -m experiments.iwslt.visualize --help``."""
import chainer
from chainer.backends import cuda
import chainer.functions as F
import numpy

from experiments.common import cli
from experiments.common import commands
from experiments.common.checkpoint import replacing
from experiments.iwslt.beam import translate
from experiments.iwslt.model import load
from experiments.iwslt.pairs import clean


def main(argv=None):
    """Draw the attention weights of a translation."""
    parser = cli.Parser('iwslt.visualize')
    commands.add_model(parser)
    parser.add_argument(
        'german', metavar='GERMAN', type=commands.text,
        help='sentence to translate')
    parser.add_argument(
        '--english', metavar='TEXT', type=commands.text,
        help="translation to draw (default: the model's translation)")
    parser.add_argument(
        '--out', '-o', metavar='FILE', default='attention.png',
        help='PNG file to write (default: attention.png)')
    cli.add_device(parser)
    args = parser.parse_args(argv)
    german = clean(args.german)
    if not german:
        raise cli.UserError('the sentence is empty; pass another one')
    device = cli.use_device(args.device)
    model, characters, _ = load(args.model)
    model.to_device(device)
    if args.english is None:
        (best,), = translate(model, characters, [german])
        english = best.text
    else:
        english = clean(args.english)
    weights = attention(model, characters, german, english)
    draw(args.out, weights, german, english)
    print(f'{german}\n{english}\nThe attention is in {args.out}')


def attention(model, characters, german, english):
    """Return the attention weights, ``(T, S)``; each row sums to 1.

    The source has ``S`` characters; the translation has ``T``, including EOS.
    """
    source, target = characters.source(german), characters.target(english)
    layer, queries = model.decoder[-1], []
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        model.encode(model.xp.asarray(source[None]), [len(source)])
        for previous in [characters.eos, *target[:-1]]:
            model.step(model.xp.full(1, previous, 'i'))
            # The queries are an LSTM's outputs or a QRNN's pooled states.
            query = getattr(layer.state, 'h', layer.state.c)
            queries.append(cuda.to_cpu(query.array).astype('f'))
    states = cuda.to_cpu(layer.encoder.h.array)[0].astype('f')
    weights = F.softmax(numpy.concatenate(queries) @ states.T).array
    return weights[:, ::-1]  # the encoder reads the source in reverse


def draw(path, weights, german, english):
    """Draw attention weights as a heat map, with characters on both axes."""
    with cli.explained('{}; pip install matplotlib', ImportError):
        from matplotlib.figure import Figure
    columns = list(german.replace(' ', '␣'))
    rows = list(english.replace(' ', '␣') + '¶')  # ¶ stands for EOS
    figure = Figure(figsize=[1.2 + .16 * len(side) for side in (
        columns, rows)], layout='constrained')
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap='Greys', vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(top=True, labeltop=True, length=0)
    figure.colorbar(image, label='weight', shrink=.6)
    with replacing(path) as f:
        figure.savefig(f, format='png', dpi=100)


if __name__ == '__main__':
    cli.run(main)
