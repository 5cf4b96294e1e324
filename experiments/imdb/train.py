"""Train a classifier: ``python -m experiments.imdb.train --help``."""
import dataclasses

import chainer
from chainer import training
from chainer.training import extensions

from experiments.common import batches
from experiments.common import checkpoint
from experiments.common import cli
from experiments.common import precision
from experiments.common.extensions import CheckFinite
from experiments.common.extensions import Curves
from experiments.common.extensions import DeferSignals
from experiments.common.extensions import EarlyStopping
from experiments.common.extensions import Progress
from experiments.common.options import TrainingParser
from experiments.common.processes import join
from experiments.common.processes import seed_all
from experiments.common.result import WriteResult
from experiments.imdb import data
from experiments.imdb.baseline import bag_of_words_accuracies
from experiments.imdb.model import build
from experiments.imdb.model import CONFIGS
from experiments.imdb.model import load
from experiments.imdb.model import TINY
from experiments.imdb.rmsprop import RowwiseRMSpropRule


def main(argv=None):
    """Train a classifier, or score a trained one."""
    parser = TrainingParser('imdb', CONFIGS, TINY)
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample' for reviews that the project generates itself "
             "(default), 'download' for the Large Movie Review Dataset from "
             'the web, its archive, the folder in it, a .csv or .tsv file, or '
             'a folder with train and test as .jsonl, .csv or .tsv, gzipped '
             'or not')
    parser.add_argument(
        '--glove', metavar='FILE',
        help='word vectors to start from: text, plain, .gz or .zip, or .npz '
             '(default: none)')
    args = parser.parse_args(argv)
    if args.eval_only is not None:
        return evaluate(args)
    with precision.using(args.dtype):
        train(args, args.settings)


def train(args, config):
    """Train a model, score its best epoch and write the result."""
    processes = join(args.communicator, config.batch_size)
    device = processes.use_device(args.device)
    processes.once(lambda: checkpoint.prepare_folder(
        args.out, args.resume, args.overwrite))
    seed_all(args.seed, device, processes.rank)

    corpus = processes.once(lambda: (
        data.sample(100, 20) if args.test
        else data.load(args.data, config.min_count)))
    print(corpus)
    vectors = glove_facts = None
    if args.glove is not None:
        from experiments.imdb import glove
        vectors, glove_facts = processes.once(
            lambda: glove.initial_vectors(args.glove, corpus, args.seed))
        config = dataclasses.replace(config, embed_size=vectors.shape[1])
        print(f"{args.glove}: vectors for {glove_facts['vectors']:,} words, "
              f"{100 * glove_facts['coverage']:.1f} % of the running words")
    facts = {**args.facts, 'data': corpus.facts, 'glove': glove_facts}
    facts['settings']['embed_size'] = config.embed_size
    model = build(config, corpus.vocabulary, vectors)
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = processes.prepare(setup_optimizer(model, config), device)

    iterator = batches.BucketIterator(
        corpus.train, corpus.train.lengths, config.batch_size, args.seed)
    updater = batches.SharingUpdater(
        iterator, optimizer, data.pad, device, processes)
    best = checkpoint.BestModel(
        model, {**facts, 'words': [] if config.layer == 'pqrnn'
                else corpus.vocabulary},
        'validation/main/accuracy', highest=True)
    trainer = training.Trainer(
        updater, EarlyStopping(config.n_epochs, best, args.patience,
                               processes), args.out)

    # Extensions; Chainer calls them in the order of their priorities.
    if processes.rank == 0:
        trainer.extend(evaluator(model, corpus.dev, config.batch_size))
        trainer.extend(CheckFinite())
        trainer.extend(best)
        trainer.extend(extensions.observe_lr())
        trainer.extend(extensions.LogReport())
        trainer.extend(extensions.PrintReport([
            'epoch', 'lr', 'main/loss', 'main/accuracy',
            'validation/main/loss', 'validation/main/accuracy',
            'elapsed_time']), trigger=(1, 'epoch'))
        trainer.extend(Curves(['main/accuracy', 'validation/main/accuracy']))
        trainer.extend(Progress())
        write_result = WriteResult(facts, best, device, processes.size)
        trainer.extend(write_result)
    trainer.extend(
        extensions.ExponentialShift('lr', config.lr_decay),
        trigger=lambda _: (
            updater.is_new_epoch and updater.epoch >= config.n_full_lr_epochs))
    if args.dtype == 'mixed16':
        from experiments.common.mixed16 import MixedPrecision
        trainer.extend(MixedPrecision(optimizer))
    snapshot = checkpoint.Snapshot(facts, args.snapshot_every, processes)
    trainer.extend(snapshot)
    trainer.extend(DeferSignals(snapshot, processes))

    if args.resume:
        snapshot.resume(trainer)
    trainer.run(show_loop_exception_msg=False)
    if processes.rank:
        return

    best.restore()
    accuracy = score(model, corpus.test)
    words, bigrams = (bag_of_words_accuracies(corpus, bigrams)
                      for bigrams in (False, True))
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f'Development accuracy: {100 * best.value:.2f} %\n'
          f'Test accuracy: {100 * accuracy:.2f} % (bag of words: '
          f"{100 * words['test']:.2f} %, with bigrams: "
          f"{100 * bigrams['test']:.2f} %)")
    write_result.finish({
        'development_accuracy': 100 * best.value,
        'test_accuracy': 100 * accuracy,
        'bag_of_words_development_accuracy': 100 * words['dev'],
        'bag_of_words_test_accuracy': 100 * words['test'],
        'bag_of_bigrams_development_accuracy': 100 * bigrams['dev'],
        'bag_of_bigrams_test_accuracy': 100 * bigrams['test']})


def setup_optimizer(model, config):
    """Return the optimizer of a model, with its regularisation.

    RMSprop rescales all gradients to about the same size. For a word that is
    not in the batch, the only gradient is the weight decay, so its vector
    would move to 0 at the full learning rate, even if the decay is small.
    Therefore, only ``config.l2_embedding`` adds weight decay to the embedding.
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
    """Return a trainer extension that scores each review exactly once."""
    iterator = chainer.iterators.SerialIterator(
        reviews, batch_size, repeat=False, order_sampler=(
            lambda *_: batches.longest_first(reviews.lengths)))
    return extensions.Evaluator(iterator, model, converter=(
        lambda examples, _: data.pad(examples, model.device)))


def score(model, reviews):
    """Return a model's accuracy on reviews, from 0 to 1."""
    return float(evaluator(model, reviews)()['main/accuracy'])


def evaluate(args):
    """Print the accuracies of a trained model."""
    device = cli.use_device(args.device)
    model, description = load(args.eval_only)
    model.to_device(device)
    corpus = data.load(args.data or description['data']['source'],
                       number=model.number)
    print(f'{corpus}\n'
          f'Development accuracy: {100 * score(model, corpus.dev):.2f} %\n'
          f'Test accuracy: {100 * score(model, corpus.test):.2f} %')


if __name__ == '__main__':
    cli.run(main)
