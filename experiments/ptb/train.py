"""Train a language model: ``python -m experiments.ptb.train --help``."""
import chainer
from chainer import training
from chainer.training import extensions

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
from experiments.ptb import data
from experiments.ptb import stream
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import load
from experiments.ptb.model import TINY


def main(argv=None):
    """Train a language model, or score a trained one."""
    parser = TrainingParser('ptb', CONFIGS, TINY)
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample' for text that the project generates itself (default), "
             "'download' for the Penn Treebank from the web, or a folder with "
             'ptb.train.txt, ptb.valid.txt and ptb.test.txt, gzipped or not')
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
        data.sample(100, 20) if args.test else data.load(args.data)))
    print(corpus)
    facts = {**args.facts, 'data': corpus.facts}
    model = LanguageModel(config, len(corpus.vocabulary))
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = processes.prepare(setup_optimizer(model, config), device)

    iterator = stream.StreamIterator(
        corpus.train, config.batch_size, config.n_steps, corpus.eos)
    updater = stream.StreamUpdater(iterator, optimizer, device, processes)
    best = checkpoint.BestModel(model, {**facts, 'words': corpus.vocabulary})
    trainer = training.Trainer(
        updater, EarlyStopping(config.n_epochs, best, args.patience,
                               processes), args.out)

    # Extensions; Chainer calls them in the order of their priorities.
    if processes.rank == 0:
        curves = ['perplexity', 'validation/perplexity']
        trainer.extend(
            stream.StreamEvaluator(corpus.valid, model, corpus.eos))
        if config.zoneout:
            from experiments.ptb.zoneout import OtherZoneoutEvaluator
            other = ('validation_identity' if config.zoneout_expectation
                     else 'validation_expectation')
            curves.append(f'{other}/perplexity')
            trainer.extend(OtherZoneoutEvaluator(
                corpus.valid, model, corpus.eos), name=other)
        trainer.extend(CheckFinite())
        trainer.extend(best)
        trainer.extend(extensions.observe_lr())
        trainer.extend(extensions.LogReport(postprocess=add_perplexities))
        trainer.extend(extensions.PrintReport(
            ['epoch', 'lr', *curves, 'elapsed_time']), trigger=(1, 'epoch'))
        trainer.extend(Curves(curves))
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
    scores = stream.scores(model, corpus)
    unigrams = {part: corpus.unigram_perplexity(part)
                for part in ('valid', 'test')}
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f"Validation perplexity: {scores['valid']:.2f} (unigrams: "
          f"{unigrams['valid']:.2f})\n"
          f"Test perplexity: {scores['test']:.2f} (unigrams: "
          f"{unigrams['test']:.2f})")
    write_result.finish({
        'validation_perplexity': scores['valid'],
        'test_perplexity': scores['test'],
        'unigram_validation_perplexity': unigrams['valid'],
        'unigram_test_perplexity': unigrams['test']})


def setup_optimizer(model, config):
    """Return the optimizer of a model, with weight decay and clipping."""
    optimizer = chainer.optimizers.SGD(config.lr).setup(model)
    # The weight decay precedes the clipping, because L2 is part of the loss.
    if config.l2:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(config.l2))
    optimizer.add_hook(precision.GradientClipping(config.max_norm))
    return optimizer


def evaluate(args):
    """Print the perplexities of a trained model."""
    device = cli.use_device(args.device)
    model, description = load(args.eval_only)
    model.to_device(device)
    corpus = data.load(args.data or description['data']['source'],
                       description['words'])
    print(corpus)
    scores = stream.scores(model, corpus)
    print(f"Validation perplexity: {scores['valid']:.2f}\n"
          f"Test perplexity: {scores['test']:.2f}")


if __name__ == '__main__':
    cli.run(main)
