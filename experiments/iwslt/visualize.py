"""Draws the attention: ``python -m experiments.iwslt.visualize --help``."""
import chainer
from chainer.backends import cuda

from experiments.common import arguments
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.common.files import replacing
from experiments.iwslt import model as model_module
from experiments.iwslt.beam import translate
from experiments.iwslt.data import clean


def main(argv=None):
    """Writes a heat map of what each written character attends to."""
    args = parse(argv)
    german = clean(args.german)
    if not german:
        raise Problem('there is nothing to translate')
    device = arguments.use_device(args.device)
    model, characters, _ = model_module.load(args.model)
    model.to_device(device)
    if args.english is None:
        (best,), = translate(model, characters, [german])
        english = best.text
    else:
        english = clean(args.english)
    weights = attention(model, characters, german, english)
    draw(args.out, weights, german, english)
    print('{}\n{}\nThe attention is in {}'.format(german, english, args.out))


def parse(argv=None):
    parser = arguments.Parser(prog='python -m experiments.iwslt.visualize')
    arguments.add_model(parser)
    parser.add_argument('german', metavar='GERMAN', help='what to translate')
    parser.add_argument(
        '--english', metavar='TEXT',
        help="translation to look at (default: the model's own)")
    parser.add_argument(
        '--out', '-o', metavar='FILE', default='attention.png',
        help='PNG file to write (default: attention.png)')
    arguments.add_device(parser)
    return parser.parse_args(argv)


def attention(model, characters, german, english):
    """Weight of every source character when a character is written.

    Args:
        model (Translator): The model.
        characters (Characters): Its characters.
        german (str): The source, of ``S`` characters.
        english (str): The translation, of ``T - 1`` characters and its end.

    Returns:
        numpy.ndarray: Weights of shape ``(T, S)``; each row sums to 1.

    """
    source, target = characters.source(german), characters.target(english)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        model.read(model.xp.asarray(source[None]), [len(source)])
        weights = model.attention(model.xp.asarray(target[None]))
    # The source was read from its end.
    return cuda.to_cpu(weights.array)[0, :, ::-1]


def draw(path, weights, german, english):
    """Draws weights as a heat map, with characters along both axes.

    Args:
        path (str): Name of the PNG file.
        weights (numpy.ndarray): Weights of shape ``(T, S)``.
        german (str): The source, of ``S`` characters.
        english (str): The translation, of ``T - 1`` characters.

    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Problem('matplotlib is not installed; pip install matplotlib')
    columns, rows = _visible(german), _visible(english) + [_END]
    figure = Figure(figsize=[
        1.2 + _CELL * n for n in (len(columns), len(rows))],
        layout='constrained')
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap='Greys', vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(top=True, labeltop=True, length=0)
    figure.colorbar(image, label='weight', shrink=.6)
    with replacing(path) as f:
        figure.savefig(f, format='png', dpi=100)


_CELL = .16  # inches of a character
_END = '¶'  # stands for the end of the translation


def _visible(text):
    return list(text.replace(' ', '␣'))


if __name__ == '__main__':
    errors.run(main)
