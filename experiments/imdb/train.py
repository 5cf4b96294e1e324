"""Trains a classifier: ``python -m experiments.imdb.train --help``."""
import dataclasses

import chainer
from chainer import training

from experiments.common import arguments
from experiments.common import best_model
from experiments.common import communication
from experiments.common import errors
from experiments.common import sharing
from experiments.common.buckets import BucketSampler
from experiments.common.errors import Problem
from experiments.common.iterators import TrackingIterator
from experiments.common.plot import CurvePlot
from experiments.common.training import extend
from experiments.common.training import main as run_command
from experiments.common.training import Run
from experiments.imdb import data
from experiments.imdb import glove
from experiments.imdb.data import bag_of_words_accuracies
from experiments.imdb.data import pad
from experiments.imdb.evaluate import evaluator
from experiments.imdb.evaluate import score
from experiments.imdb.model import build
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import TINY
from experiments.imdb.rmsprop import RowwiseRMSpropRule


def main(argv=None):
    """Trains as the command line says and writes what came of it."""
    run_command('imdb', parse(argv), train)


def parse(argv=None):
    parser = arguments.training_parser('imdb', CONFIGS, default_config='small')
    parser.add_argument(
        '--data', metavar='SOURCE', default='sample',
        help="'sample' for reviews that the project makes itself (default), "
             "'download' for the Large Movie Review Dataset from the web, its "
             'archive, the folder in it, or a folder with train.jsonl and '
             'test.jsonl, gzipped or not')
    parser.add_argument(
        '--glove', metavar='FILE',
        help='word vectors to start from: .txt, .zip or .npz (default: none)')
    return parser.parse_args(argv)


def train(args):
    """Trains a model.

    Args:
        args (argparse.Namespace): The arguments, as :func:`parse` gives
            them, with ``out`` set.

    Returns:
        dict: What was written to ``result.json``.

    """
    processes = communication.join(args.communicator)
    device = arguments.use_device(processes.device(args.device))
    if args.test:
        config, corpus = TINY, data.sample_corpus(100, 20)
    else:
        config = CONFIGS[args.config]
        corpus = processes.once(lambda: data.load(args.data, config.min_count))
    config = arguments.configure(config, args, processes)
    print(corpus)
    vectors, vectors_facts = processes.once(lambda: _vectors(args, corpus))
    if vectors is not None:
        config = dataclasses.replace(config, embed_size=vectors.shape[1])
    run = Run(args, {
        'experiment': 'imdb',
        'config': args.config,
        'settings': dataclasses.asdict(config),
        'data': {'source': corpus.source,
                 'vocabulary': len(corpus.vocabulary),
                 'reviews': {part: len(getattr(corpus, part))
                             for part in data.PARTS},
                 'fingerprint': corpus.fingerprint},
        'glove': vectors_facts,
        'seed': args.seed,
    }, device, processes)
    model = build(config, corpus.vocabulary, vectors)
    print('{}: {:,} parameters, {:,} of them word vectors, {} epochs'.format(
        args.config, model.count_params(),
        sum(param.size for param in _word_vectors(model)),
        args.epoch or config.n_epochs))
    bag_of_words = processes.once(lambda: bag_of_words_accuracies(corpus))
    trainer, best = _trainer(model, config, corpus, bag_of_words, run)
    run.train(trainer, words=(
        [] if config.layer == 'pqrnn' else corpus.vocabulary))
    return _finish(trainer, best, model, corpus, bag_of_words, run)


def _vectors(args, corpus):
    """Return initial word vectors and where they are from, or None twice."""
    if args.glove is None:
        return None, None
    if args.config == 'pqrnn':
        raise Problem('pqrnn has no word vectors; leave out --glove')
    vectors, facts = glove.initial_vectors(args.glove, corpus, args.seed)
    print(f'{args.glove}: vectors for {facts["vectors"]:,} of '
          f'{len(vectors):,} words of the vocabulary, '
          f'{100 * facts["coverage"]:.1f} % of the running words to train on')
    return vectors, facts


def _trainer(model, config, corpus, bag_of_words, run):
    """The trainer with all its extensions, and the one with the best model.

    Args:
        model (Classifier): The model, on the CPU.
        config (Config): Settings of the training.
        corpus (Corpus): The reviews.
        bag_of_words (dict): Accuracies to compare with.
        run (Run): The run that it is for.

    """
    iterator = TrackingIterator(
        corpus.train, config.batch_size,
        order_sampler=BucketSampler(
            corpus.train.lengths, config.batch_size, random=run.order))
    optimizer = run.processes.multi_node(setup_optimizer(model, config))
    updater = sharing.Updater(
        iterator, optimizer, pad, run.device, run.processes)
    trainer = training.Trainer(
        updater, (run.args.epoch or config.n_epochs, 'epoch'), run.args.out)
    trainer.extend(evaluator(
        corpus.dev, model, config.batch_size, run.processes))
    best = best_model.BestModel(
        model, 'validation/main/accuracy', highest=True)
    plot = CurvePlot(
        'accuracy.png',
        {'main/accuracy': 'training',
         'validation/main/accuracy': 'development'},
        'accuracy', ('bag of words, development', bag_of_words['dev']),
        scale='linear')
    extend(trainer, run, best, plot, columns=[
        'epoch', 'main/loss', 'main/accuracy', 'validation/main/loss',
        'validation/main/accuracy', 'elapsed_time'])
    return trainer, best


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
    vectors = [] if config.l2_embedding else _word_vectors(model)
    for param in model.params():
        if any(param is each for each in vectors):
            param.update_rule = RowwiseRMSpropRule(optimizer.hyperparam)
        elif config.l2:
            param.update_rule.add_hook(
                chainer.optimizer_hooks.WeightDecay(config.l2))
    return optimizer


def _word_vectors(model):
    """The parameters of which a batch touches little."""
    return [link.W for link in model.links()
            if isinstance(link, chainer.links.EmbedID)]


def _finish(trainer, best, model, corpus, bag_of_words, run):
    """Scores the best model, prints and writes the result."""
    best_model.load_parameters(trainer.out, model, run.processes)
    outcome = {
        'parameters': model.count_params(),
        'epochs': trainer.updater.epoch,
        'best_epoch': best.epoch,
        'development_accuracy': 100 * best.value,
        'test_accuracy': 100 * score(
            model, corpus.test, processes=run.processes),
        'bag_of_words_development_accuracy': 100 * bag_of_words['dev'],
        'bag_of_words_test_accuracy': 100 * bag_of_words['test'],
    }
    print('Best epoch: {best_epoch} of {epochs}\n'
          'Development accuracy: {development_accuracy:.2f} %\n'
          'Test accuracy: {test_accuracy:.2f} % (bag of words: '
          '{bag_of_words_test_accuracy:.2f} %)'.format(**outcome))
    return run.finish(trainer, outcome)


if __name__ == '__main__':
    errors.run(main)
