"""Generate text: ``python -m experiments.ptb.generate --help``."""
import sys
import time

import chainer
import numpy

from experiments.common import cli
from experiments.common import commands
from experiments.ptb.data import EOS
from experiments.ptb.data import UNK
from experiments.ptb.model import load


def main(argv=None):
    """Print text that a trained model generates, word by word."""
    parser = cli.Parser('ptb.generate')
    commands.add_model(parser)
    parser.add_argument(
        '--words', metavar='N', type=cli.positive, default=200,
        help='number of words, including ends of lines (default: 200)')
    parser.add_argument(
        '--temperature', metavar='X', type=cli.not_negative, default=1.,
        help='divisor of the logits: values below 1 favour likely words; 0 '
             'always chooses the most likely word (default: 1)')
    parser.add_argument(
        '--prompt', metavar='TEXT', type=commands.text, default='',
        help='first words of the text; the end of a line counts as a word')
    parser.add_argument(
        '--seed', metavar='N', type=cli.seed, default=0,
        help='random seed (default: 0)')
    cli.add_device(parser)
    args = parser.parse_args(argv)
    device = cli.use_device(args.device)
    model, description = load(args.model)
    model.to_device(device)
    words = description['words']
    prompt = _numbers(args.prompt.replace('\n', f' {EOS} ').split(), words)
    eos = words.index(EOS)
    _write(args.prompt)
    is_new_line = prompt[-1:] in ([], [eos])
    start = time.perf_counter()
    for word in generate(model, prompt, eos, args.words, args.temperature,
                         numpy.random.RandomState(args.seed)):
        if word == eos:
            _write('\n')
        else:
            _write(words[word] if is_new_line else ' ' + words[word])
        is_new_line = word == eos
    if not is_new_line:
        _write('\n')
    commands.report_rate(args.words, 'words', start)


def generate(model, prompt, eos, n_words, temperature, random):
    """Draw words one after the other, each given all previous words.

    Args:
        model (LanguageModel): The model.
        prompt (list of int): Indices of the first words of the text.
        eos (int): Index of ``<eos>``, the first input.
        n_words (int): Number of words to draw.
        temperature (float): Divisor of the logits. Values below 1 favour
            likely words; 0 always chooses the most likely word.
        random (numpy.random.RandomState): Generator of random numbers.

    Yields:
        int: The index of the next word.

    """
    model.reset_state()
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for word in [eos] + prompt:
            logits = model.step(model.xp.array([word], 'i'))
        for i in range(n_words):
            word = _draw(chainer.backends.cuda.to_cpu(logits.array)[0],
                         temperature, random)
            yield word
            if i + 1 < n_words:
                logits = model.step(model.xp.array([word], 'i'))


def _draw(logits, temperature, random):
    """Return the index of a random word, given the logits, ``(V,)``."""
    if not temperature:
        return int(logits.argmax())
    logits = logits.astype('f8')
    weights = numpy.exp((logits - logits.max()) / temperature)
    return int(weights.cumsum().searchsorted(random.uniform(0, weights.sum())))


def _numbers(prompt, words):
    """Return the indices of a prompt's words; warn about unknown words."""
    unknown = ', '.join(sorted(set(prompt).difference(words)))
    if unknown:
        if UNK not in words:
            raise cli.UserError(f'the model does not know {unknown}; remove '
                                'it from --prompt')
        print(f'warning: the model does not know {unknown}, read as {UNK}',
              file=sys.stderr)
    numbers = {word: i for i, word in enumerate(words)}
    return [numbers.get(word, numbers.get(UNK)) for word in prompt]


def _write(text):
    print(text, end='', flush=True)


if __name__ == '__main__':
    cli.run(main)
