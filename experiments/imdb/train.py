"""Train a classifier: ``python -m experiments.imdb.train --help``."""
import dataclasses

import chainer
from chainer.training import extensions

from experiments.common import cli
from experiments.common import distributed
from experiments.common import training
from experiments.imdb import data
from experiments.imdb.model import build
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import load
from experiments.imdb.model import TINY
from experiments.imdb.rmsprop import RowwiseRMSpropRule


def main(argv=None):
    """Train, or score what was trained, as the command line says."""
    training.main('imdb', CONFIGS, TINY, add_arguments, train, evaluate, argv)


def add_arguments(parser):
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample' for reviews that the project generates itself "
             "(default), 'download' for the Large Movie Review Dataset from "
             'the web, its archive, the folder in it, or a folder with '
             'train.jsonl and test.jsonl, gzipped or not')
    parser.add_argument(
        '--glove', metavar='FILE',
        help='word vectors to start from: .txt, .zip or .npz (default: none)')


def train(run):
    """Train a model, score the best epoch's, and write the result."""
    args, config = run.args, run.config
    corpus = run.processes.once(lambda: (
        data.sample(100, 20) if args.test
        else data.load(args.data, config.min_count)))
    print(corpus)
    vectors = glove_facts = None
    if args.glove is not None:
        from experiments.imdb import glove
        vectors, glove_facts = run.processes.once(
            lambda: glove.initial_vectors(args.glove, corpus, args.seed))
        config = dataclasses.replace(config, embed_size=vectors.shape[1])
        print(f"{args.glove}: vectors for {glove_facts['vectors']:,} words, "
              f"{100 * glove_facts['coverage']:.1f} % of the running words")
    model = build(config, corpus.vocabulary, vectors)
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = run.processes.multi_node(setup_optimizer(model, config))
    updater = distributed.Updater(
        distributed.BucketIterator(corpus.train, corpus.train.lengths,
                                   config.batch_size, run.order),
        optimizer, data.pad, run.device, run.processes)
    best = run.train(
        updater, best=('validation/main/accuracy', True),
        evaluators={
            'validation': evaluator(model, corpus.dev, config.batch_size)},
        columns=['epoch', 'main/loss', 'main/accuracy', 'validation/main/loss',
                 'validation/main/accuracy', 'elapsed_time'],
        curves=['main/accuracy', 'validation/main/accuracy'],
        facts={'settings': dataclasses.asdict(config), 'data': corpus.facts,
               'glove': glove_facts},
        description={'words': (
            [] if config.layer == 'pqrnn' else corpus.vocabulary)})

    accuracy = run.processes.once(lambda: score(model, corpus.test))
    words, bigrams = run.processes.once(lambda: [
        data.bag_of_words_accuracies(corpus, bigrams)
        for bigrams in (False, True)])
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f'Development accuracy: {100 * best.value:.2f} %\n'
          f'Test accuracy: {100 * accuracy:.2f} % (bag of words: '
          f"{100 * words['test']:.2f} %, with bigrams: "
          f"{100 * bigrams['test']:.2f} %)")
    run.finish({
        'best_epoch': best.epoch,
        'development_accuracy': 100 * best.value,
        'test_accuracy': 100 * accuracy,
        'bag_of_words_development_accuracy': 100 * words['dev'],
        'bag_of_words_test_accuracy': 100 * words['test'],
        'bag_of_bigrams_development_accuracy': 100 * bigrams['dev'],
        'bag_of_bigrams_test_accuracy': 100 * bigrams['test']})


def setup_optimizer(model, config):
    """Return the optimizer of a model, with its regularisation.

    The decay is part of the loss, and RMSprop rescales all gradients to
    about the same size. A word that a batch does not have has no gradient
    but the decay, and would be drawn to 0 by the full learning rate in every
    step, whatever the decay's factor. So the embedding has none, unless
    ``config.l2_embedding`` asks for it.
    """
    optimizer = chainer.optimizers.RMSprop(
        config.lr, config.alpha, config.eps).setup(model)
    if config.l2:
        for param in model.params():
            param.update_rule.add_hook(
                chainer.optimizer_hooks.WeightDecay(config.l2))
    if config.layer != 'pqrnn' and not config.l2_embedding:
        model.embed.W.update_rule = RowwiseRMSpropRule(optimizer.hyperparam)
    return optimizer


def evaluator(model, reviews, batch_size=24):
    """Return a trainer extension that scores reviews, each exactly once."""
    iterator = chainer.iterators.SerialIterator(
        reviews, batch_size, repeat=False, order_sampler=(
            lambda *_: distributed.longest_first(reviews.lengths)))
    return extensions.Evaluator(iterator, model, converter=(
        lambda examples, _: data.pad(examples, model.device)))


def score(model, reviews):
    """Return a model's accuracy."""
    return float(evaluator(model, reviews)()['main/accuracy'])


def evaluate(args, device):
    """Print the accuracies of a trained model."""
    model, description = load(args.eval_only)
    model.to_device(device)
    corpus = data.load(args.data or description['data']['source'],
                       number=model.number)
    print(f'{corpus}\n'
          f'Development accuracy: {100 * score(model, corpus.dev):.2f} %\n'
          f'Test accuracy: {100 * score(model, corpus.test):.2f} %')


if __name__ == '__main__':
    cli.run(main)
