"""Train a translator: ``python -m experiments.iwslt.train --help``."""
import chainer
from chainer import training
from chainer.training import extensions
import numpy

from experiments.common import batches
from experiments.common import checkpoint
from experiments.common import cli
from experiments.common import precision
from experiments.common.extensions import add_perplexities
from experiments.common.extensions import CheckFinite
from experiments.common.extensions import Curves
from experiments.common.extensions import DeferSignals
from experiments.common.extensions import EarlyStopping
from experiments.common.extensions import Progress
from experiments.common.options import TrainingParser
from experiments.common.processes import join
from experiments.common.processes import seed_all
from experiments.common.result import WriteResult
from experiments.iwslt import data
from experiments.iwslt import score
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import load
from experiments.iwslt.model import TINY
from experiments.iwslt.model import Translator


def main(argv=None):
    """Train a translator, or score a trained one."""
    parser = TrainingParser('iwslt', CONFIGS, TINY)
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample' for pairs that the project generates itself (default), "
             'or a folder with the German-English files of IWSLT or with '
             'train, dev or val, and test or test_*, each .de and .en')
    parser.add_argument(
        '--extra', metavar='SET', nargs='+', default=[],
        help='also train on further sets of the folder: all sets whose names '
             'begin with SET, except dev and test')
    parser.add_argument(
        '--unchecked', action='store_true',
        help='allow files of unequal length, of which common lines are used, '
             'and the same pairs for training and another part')
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
        data.sample(config.max_length, 64, 8) if args.test else data.load(
            args.data, config.max_length, args.extra,
            checked=not args.unchecked)))
    print(corpus)
    facts = {**args.facts, 'data': corpus.facts}
    model = Translator(config, len(corpus.characters))
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = processes.prepare(setup_optimizer(model, config), device)

    examples = corpus.examples('train')
    iterator = batches.BucketIterator(
        examples, [n_source + n_target for *_, n_source, n_target in examples],
        config.batch_size, args.seed)
    updater = batches.SharingUpdater(
        iterator, optimizer, score.convert, device, processes,
        count=lambda batch: sum(n_target for *_, n_target in batch))
    best = checkpoint.BestModel(
        model, {**facts, 'characters': list(corpus.characters)})
    trainer = training.Trainer(
        updater, EarlyStopping(config.n_epochs, best, args.patience,
                               processes), args.out)

    # Extensions; Chainer calls them in the order of their priorities.
    if processes.rank == 0:
        curves = ['perplexity', 'validation/perplexity']
        trainer.extend(score.evaluator(model, corpus, 'dev'))
        trainer.extend(CheckFinite())
        trainer.extend(best)
        trainer.extend(extensions.LogReport(postprocess=add_perplexities))
        trainer.extend(extensions.PrintReport(
            ['epoch', *curves, 'elapsed_time']), trigger=(1, 'epoch'))
        trainer.extend(Curves(curves))
        trainer.extend(Progress())
        write_result = WriteResult(facts, best, device, processes.size)
        trainer.extend(write_result)
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
    perplexity = float(numpy.exp(best.value))
    scores = score.scores(model, corpus)
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f'Development perplexity: {perplexity:.3f}\n'
          + score.describe(scores))
    write_result.finish({
        'training_pairs': len(examples),
        'validation_perplexity': perplexity,
        **{f'test_{name}': value for name, value in scores.items()}})


def setup_optimizer(model, config):
    """Return the optimizer of a model, including gradient clipping."""
    optimizer = chainer.optimizers.Adam(
        config.alpha, config.beta1, config.beta2, config.eps).setup(model)
    optimizer.add_hook(precision.GradientClipping(config.max_norm))
    return optimizer


def evaluate(args):
    """Print the scores of a trained model."""
    device = cli.use_device(args.device)
    model, characters, description = load(args.eval_only)
    model.to_device(device)
    corpus = data.load(
        args.data or description['data']['source'],
        description['settings']['max_length'], characters=characters,
        checked=not args.unchecked)
    print(f'{corpus}\n{score.describe(score.scores(model, corpus))}')


if __name__ == '__main__':
    cli.run(main)
