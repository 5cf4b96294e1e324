"""Scores a saved model: ``python -m experiments.ptb.evaluate --help``."""
from experiments.common import arguments
from experiments.common import errors
from experiments.ptb import data
from experiments.ptb import model as model_module
from experiments.ptb import stream


def main(argv=None):
    """Prints the perplexities of a saved model."""
    args = parse(argv)
    device = arguments.get_device(args.device)
    device.use()
    model, description = model_module.load(args.model)
    model.to_device(device)
    corpus = data.load(args.data or description['data']['source'],
                       description['words'])
    print(corpus)
    scores = stream.scores(model, corpus)
    print('Validation perplexity: {valid:.2f}\n'
          'Test perplexity: {test:.2f}'.format(**scores))


def parse(argv=None):
    parser = arguments.Parser(prog='python -m experiments.ptb.evaluate')
    arguments.add_model(parser)
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample', 'download' or a folder, as in training (default: "
             'what the model was trained on)')
    arguments.add_device(parser)
    return parser.parse_args(argv)


if __name__ == '__main__':
    errors.run(main)
