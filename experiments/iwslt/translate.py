"""Translate lines: ``python -m experiments.iwslt.translate --help``."""
import sys
import time

from experiments.common import cli
from experiments.common import commands
from experiments.common.text import split_lines
from experiments.iwslt.beam import CRITERIA
from experiments.iwslt.beam import Search
from experiments.iwslt.beam import translate
from experiments.iwslt.model import load
from experiments.iwslt.pairs import clean


def main(argv=None):
    """Translate standard input to standard output, line by line."""
    args = parse(argv)
    device = cli.use_device(args.device)
    model, characters, _ = load(args.model)
    model.to_device(device)
    search = Search(args.beam, args.criterion, args.alpha, args.n_best)
    # On a terminal, each line is translated immediately.
    batch_size = 1 if sys.stdin.isatty() else args.batch_size
    lines = _lines(sys.stdin.buffer, characters)
    number, start = 0, time.perf_counter()
    for number, translations in enumerate(translate(
            model, characters, lines, search, batch_size), 1):
        for text, score, _ in translations:
            line = text if args.n_best == 1 else (
                f'{number}\t{score:.4f}\t{text}')
            sys.stdout.buffer.write(line.encode() + b'\n')
            sys.stdout.buffer.flush()
    if not sys.stdin.isatty():  # on a terminal, the rate includes typing
        commands.report_rate(number, 'sentences', start)


def parse(argv=None):
    parser = cli.Parser(
        'iwslt.translate',
        description='Read German sentences from standard input, one per line, '
                    'and write a line of English for each.')
    commands.add_model(parser)
    cli.add_device(parser)
    parser.add_argument(
        '--n-best', metavar='N', type=cli.positive, default=Search.n_best,
        help='number of translations of a line; if more than 1, each is '
             'written as a line with the number of the input line, the score '
             'and the text, separated by tabs (default: %(default)s)')
    parser.add_argument(
        '--beam', metavar='N', type=cli.positive, default=Search.width,
        help='number of hypotheses of a line; 1 is greedy decoding (default: '
             '%(default)s)')
    parser.add_argument(
        '--criterion', choices=sorted(CRITERIA), default=Search.criterion,
        help="score of a hypothesis: the paper's equation 9, log-probability, "
             'or the length penalty of GNMT (default: %(default)s)')
    parser.add_argument(
        '--alpha', metavar='X', type=cli.not_negative, default=Search.alpha,
        help='weight of the length, from 0 to 1 (default: %(default)s)')
    parser.add_argument(
        '--batch-size', metavar='N', type=cli.positive, default=32,
        help='number of lines to translate at a time; affects only memory '
             'and speed (default: %(default)s)')
    args = parser.parse_args(argv)
    if args.alpha > 1:
        parser.error(f'--alpha {args.alpha} is not a number from 0 to 1')
    if args.n_best > args.beam:
        parser.error(f'--n-best {args.n_best} is larger than --beam '
                     f'{args.beam}; choose a larger --beam')
    return args


def _lines(stream, characters):
    """Yield a stream's lines; warn about invalid or unknown characters."""
    def warn(message):
        print(f'line {number} {message}', file=sys.stderr, flush=True)

    for contents, number, _ in split_lines(stream):
        line = contents.decode('utf-8', 'ignore')
        if line.encode() != contents:
            warn('is not UTF-8; its invalid bytes are left out')
        line = clean(line)
        unknown = sorted(set(characters.unknown(line)))
        if unknown:
            warn(f'has {len(unknown)} characters that the model does not '
                 f"know: {' '.join(map(repr, unknown[:9]))}"
                 + (' ...' if len(unknown) > 9 else ''))
        yield line


if __name__ == '__main__':
    cli.run(main)
