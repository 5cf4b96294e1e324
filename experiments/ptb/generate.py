"""Writes text: ``python -m experiments.ptb.generate --help``."""
import chainer
import numpy

from experiments.common import arguments
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.ptb import model as model_module
from experiments.ptb.data import EOS
from experiments.ptb.data import UNK


def main(argv=None):
    """Prints text from a saved model, word by word as it is drawn."""
    args = parse(argv)
    device = arguments.use_device(args.device)
    model, description = model_module.load(args.model)
    model.to_device(device)
    words = description['words']
    prompt = _numbers(args.prompt.split(), words)
    eos = words.index(EOS)
    _write(args.prompt)
    is_new_line = not prompt
    for word in generate(model, prompt, eos, args.words, args.temperature,
                         numpy.random.RandomState(args.seed)):
        if word == eos:
            _write('\n')
        else:
            _write(words[word] if is_new_line else ' ' + words[word])
        is_new_line = word == eos
    if not is_new_line:
        _write('\n')


def generate(model, prompt, eos, n_words, temperature, random):
    """Draws words one after the other, each given all before it.

    Args:
        model (LanguageModel): The model.
        prompt (list of int): Words that the text begins with.
        eos (int): Number of the word that ends a sentence.
        n_words (int): How many words to draw.
        temperature (float): Divides the logarithms of the odds; below 1 the
            likely words become likelier, and 0 takes the likeliest.
        random (numpy.random.RandomState): Where chance comes from.

    Yields:
        int: The number of the next word.

    """
    model.reset_state()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for word in [eos] + prompt:
            score = model.step(model.xp.array([word], 'i'))
        for i in range(n_words):
            word = _draw(chainer.backends.cuda.to_cpu(score.array)[0],
                         temperature, random)
            yield word
            if i + 1 < n_words:
                score = model.step(model.xp.array([word], 'i'))


def parse(argv=None):
    parser = arguments.Parser(prog='python -m experiments.ptb.generate')
    arguments.add_model(parser)
    parser.add_argument(
        '--words', metavar='N', type=arguments.positive, default=200,
        help='words to write, ends of lines included (default: 200)')
    parser.add_argument(
        '--temperature', metavar='X', type=arguments.not_negative,
        default=1.0,
        help='below 1 the likely words become likelier; 0 always takes the '
             'likeliest (default: 1)')
    parser.add_argument(
        '--prompt', metavar='TEXT', default='',
        help='words that the text begins with')
    parser.add_argument(
        '--seed', metavar='N', type=arguments.seed, default=0,
        help='seed of the choices (default: 0)')
    arguments.add_device(parser)
    return parser.parse_args(argv)


def _draw(score, temperature, random):
    """Draws a word given scores ``(V,)``."""
    if not temperature:
        return int(score.argmax())
    score = score.astype('f8')
    odds = numpy.exp((score - score.max()) / temperature)
    return int(odds.cumsum().searchsorted(random.uniform(0, odds.sum())))


def _numbers(prompt, words):
    unknown = sorted(set(prompt).difference(words))
    if unknown and UNK not in words:
        raise Problem('the model does not know {}; leave it out of '
                      '--prompt'.format(', '.join(unknown)))
    return [words.index(UNK if word in unknown else word) for word in prompt]


def _write(text):
    print(text, end='', flush=True)


if __name__ == '__main__':
    errors.run(main)
