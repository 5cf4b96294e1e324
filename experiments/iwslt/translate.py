"""Translates lines: ``python -m experiments.iwslt.translate --help``."""
import sys

from experiments.common import arguments
from experiments.common import errors
from experiments.common.errors import Problem
from experiments.iwslt import model as model_module
from experiments.iwslt.beam import CRITERIA
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt.data import clean


def main(argv=None):
    """Translate standard input to standard output, line by line."""
    args = parse(argv)
    search = get_search(args, args.n_best)
    device = arguments.use_device(args.device)
    model, characters, _ = model_module.load(args.model)
    model.to_device(device)
    # At a terminal every line is answered at once.
    batch_size = 1 if sys.stdin.isatty() else args.batch_size
    lines = _lines(sys.stdin.buffer, characters)
    for number, translations in enumerate(translate(
            model, characters, lines, search, batch_size), 1):
        for text, score, _ in translations:
            line = text if args.n_best == 1 else (
                f'{number}\t{score:.4f}\t{text}')
            sys.stdout.buffer.write(line.encode() + b'\n')
            sys.stdout.buffer.flush()


def parse(argv=None):
    parser = arguments.Parser(
        prog='python -m experiments.iwslt.translate',
        description='Reads German from standard input, a sentence per line, '
                    'and writes English to standard output, line for line.')
    arguments.add_model(parser)
    parser.add_argument(
        '--n-best', metavar='N', type=arguments.positive, default=1,
        help='translations of a line; if more than 1, each is written on a '
             'line of its own after the number of its line in the input and '
             'its score, tabs in between (default: 1)')
    add_search(parser)
    arguments.add_device(parser)
    return parser.parse_args(argv)


def add_search(parser):
    """Add the settings of the beam search to a parser."""
    parser.add_argument(
        '--beam', metavar='N', type=arguments.positive, default=Search.width,
        help='hypotheses of a line that are followed at a time; 1 is greedy '
             f'(default: {Search.width})')
    parser.add_argument(
        '--criterion', choices=sorted(CRITERIA), default=Search.criterion,
        help="what ranks them: the paper's equation 9, plain log-probability, "
             'or the length penalty of GNMT (default: '
             f'{Search.criterion})')
    parser.add_argument(
        '--alpha', metavar='X', type=arguments.not_negative,
        default=Search.alpha,
        help='how much the length counts, from 0 to 1 (default: '
             f'{Search.alpha})')
    parser.add_argument(
        '--batch-size', metavar='N', type=arguments.positive, default=32,
        help='lines to translate at a time (default: 32); it changes memory '
             'and speed, not the outcome')


def get_search(args, n_best=1):
    """Return the settings that :func:`add_search` asked for."""
    if args.alpha > 1:
        raise Problem('--alpha takes a number from 0 to 1')
    if n_best > args.beam:
        raise Problem(f'--n-best {n_best} takes a --beam at least as wide, '
                      f'not {args.beam}')
    return Search(args.beam, args.criterion, args.alpha, n_best)


def _lines(stream, characters):
    """Yield the lines of a stream, and warn of what is not understood."""
    for number, line in enumerate(stream, 1):
        try:
            line = line.decode('utf-8')
        except UnicodeDecodeError:
            _warn(number, 'is not UTF-8; what is wrong in it is left out')
            line = line.decode('utf-8', 'ignore')
        line = clean(line)
        unknown = sorted(set(characters.unknown(line)))
        if unknown:
            _warn(number, f'has {len(unknown)} characters that the model does '
                  'not know, which are left out: '
                  + ' '.join(map(repr, unknown[:9]))
                  + ' ...' * (len(unknown) > 9))
        yield line


def _warn(number, message):
    print(f'line {number} {message}', file=sys.stderr, flush=True)


if __name__ == '__main__':
    errors.run(main)
