"""Scores a saved model: ``python -m experiments.ptb.evaluate --help``."""
from experiments.common import arguments
from experiments.common import errors
from experiments.ptb import data
from experiments.ptb import model as model_module
from experiments.ptb import stream


def main(argv=None):
    """Prints the perplexities of a saved model."""
    args = parse(argv)
    device = arguments.use_device(args.device)
    model, description = model_module.load(args.model)
    model.to_device(device)
    corpus = data.load(args.data or description['data']['source'],
                       description['words'])
    print(corpus)
    scores = stream.scores(model, corpus)
    print('Validation perplexity: {valid:.2f}\n'
          'Test perplexity: {test:.2f}'.format(**scores))


def parse(argv=None):
    parser = arguments.evaluation_parser(
        'ptb', "'sample', 'download' or a folder")
    return parser.parse_args(argv)


if __name__ == '__main__':
    errors.run(main)
