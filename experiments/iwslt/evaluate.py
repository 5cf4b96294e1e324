"""Scores a saved model: ``python -m experiments.iwslt.evaluate --help``."""
from experiments.common import arguments
from experiments.common import errors
from experiments.common.files import replacing
from experiments.iwslt import data
from experiments.iwslt import model as model_module
from experiments.iwslt import score
from experiments.iwslt.translate import add_search
from experiments.iwslt.translate import get_search


def main(argv=None):
    """Prints perplexity and BLEU of a saved model."""
    args = parse(argv)
    search = get_search(args)
    device = arguments.use_device(args.device)
    model, characters, description = model_module.load(args.model)
    model.to_device(device)
    corpus = data.load(
        args.data or description['data']['source'],
        description['settings']['max_length'], characters=characters,
        checked=not args.unchecked)
    print(corpus)
    scores, translations = score.scores(
        model, corpus, args.part, search, args.batch_size)
    print(score.describe(_NAMES[args.part], scores))
    if args.out:
        with replacing(args.out) as f:
            for translation in translations:
                f.write((translation + '\n').encode())


def parse(argv=None):
    parser = arguments.evaluation_parser('iwslt', "'sample' or a folder")
    parser.add_argument('--unchecked', action='store_true')
    parser.add_argument(
        '--part', choices=sorted(_NAMES), default='test',
        help='part to score (default: test)')
    parser.add_argument(
        '--out', '-o', metavar='FILE',
        help='where to write the translations, one per line')
    add_search(parser)
    return parser.parse_args(argv)


_NAMES = {'dev': 'Development', 'test': 'Test', 'train': 'Training'}


if __name__ == '__main__':
    errors.run(main)
