"""Scores a saved model: ``python -m experiments.imdb.evaluate --help``."""
import chainer

from experiments.common import arguments
from experiments.common import communication
from experiments.common import errors
from experiments.common import sharing
from experiments.common.buckets import by_length
from experiments.imdb import data
from experiments.imdb import model as model_module
from experiments.imdb.data import pad


def main(argv=None):
    """Prints the accuracies of a saved model."""
    args = parse(argv)
    device = arguments.use_device(args.device)
    model, description = model_module.load(args.model)
    model.to_device(device)
    corpus = data.load(args.data or description['data']['source'],
                       number=model.number)
    print(corpus)
    for name, part in (('Development', corpus.dev), ('Test', corpus.test)):
        print('{} accuracy: {:.2f} %'.format(name, 100 * score(model, part)))


def parse(argv=None):
    parser = arguments.evaluation_parser(
        'imdb', "'sample', 'download', an archive or a folder")
    return parser.parse_args(argv)


def score(model, reviews, batch_size=24, processes=communication.Alone()):
    """Share of reviews that a model gets right.

    Args:
        model (Classifier): The model.
        reviews (Reviews): The reviews.
        batch_size (int): Number of reviews taken at a time; it changes
            memory and speed, not the score.
        processes (~experiments.common.communication.Alone): What takes part.

    """
    return float(evaluator(
        reviews, model, batch_size, processes)()['main/accuracy'])


def evaluator(reviews, model, batch_size, processes):
    """Trainer extension that scores reviews, each exactly once.

    Arguments are those of :func:`score`.
    """
    return sharing.Evaluator(
        chainer.iterators.SerialIterator(
            reviews, batch_size, repeat=False,
            order_sampler=lambda order, position: by_length(reviews.lengths)),
        model, pad, processes, processes.has_terminal)


if __name__ == '__main__':
    errors.run(main)
