"""Trains a language model: ``python -m experiments.ptb.train --help``."""
import chainer

from experiments.common import cli
from experiments.common import precision
from experiments.common import training
from experiments.ptb import data
from experiments.ptb import stream
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import load
from experiments.ptb.model import TINY


def main(argv=None):
    """Train, or score what was trained, as the command line says."""
    training.main('ptb', CONFIGS, TINY, add_arguments, train, evaluate, argv)


def add_arguments(parser):
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample' for text that the project generates itself (default), "
             "'download' for the Penn Treebank from the web, or a folder with "
             'ptb.train.txt, ptb.valid.txt and ptb.test.txt, gzipped or not')


def train(run):
    """Train a model, score the best epoch's, and write the result."""
    args, config = run.args, run.config
    corpus = run.processes.once(lambda: (
        data.sample(100, 20) if args.test else data.load(args.data)))
    print(corpus)
    model = LanguageModel(config, len(corpus.vocabulary))
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = run.processes.multi_node(setup_optimizer(model, config))
    updater = stream.StreamUpdater(
        stream.StreamIterator(
            corpus.train, config.batch_size, config.n_steps, corpus.eos),
        optimizer, run.device, run.processes)
    evaluators = {
        'validation': stream.StreamEvaluator(corpus.valid, model, corpus.eos)}
    if config.zoneout:
        other = 'identity' if config.zoneout_expectation else 'expectation'
        evaluators[f'validation_{other}'] = stream.OtherZoneoutEvaluator(
            corpus.valid, model, corpus.eos)
    curves = ['perplexity', *(f'{name}/perplexity' for name in evaluators)]
    best = run.train(
        updater, evaluators,
        columns=['epoch', 'lr', *curves, 'elapsed_time'], curves=curves,
        facts={'data': corpus.facts},
        description={'words': corpus.vocabulary},
        learning_rate=learning_rate(optimizer, config),
        postprocess=training.add_perplexities)

    scores = run.processes.once(lambda: stream.scores(model, corpus))
    unigrams = {part: corpus.unigram_perplexity(part)
                for part in ('valid', 'test')}
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f"Validation perplexity: {scores['valid']:.2f} (unigrams: "
          f"{unigrams['valid']:.2f})\nTest perplexity: {scores['test']:.2f} "
          f"(unigrams: {unigrams['test']:.2f})")
    run.finish({
        'best_epoch': best.epoch,
        'validation_perplexity': scores['valid'],
        'test_perplexity': scores['test'],
        'unigram_validation_perplexity': unigrams['valid'],
        'unigram_test_perplexity': unigrams['test']})


def setup_optimizer(model, config):
    """Return the optimizer of a model, with its regularisation."""
    optimizer = chainer.optimizers.SGD(config.lr).setup(model)
    # The decay belongs to the loss, so it comes before the clipping.
    if config.l2:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(config.l2))
    optimizer.add_hook(precision.GradientClipping(config.max_norm))
    return optimizer


def learning_rate(optimizer, config):
    """Return an extension that sets the rate by the epoch to come."""
    def set_rate(trainer):
        chainer.report({'lr': optimizer.lr})
        initialize(trainer)

    def initialize(trainer):
        n_decays = trainer.updater.epoch + 1 - config.n_full_lr_epochs
        optimizer.lr = config.lr * config.lr_decay ** max(n_decays, 0)

    return chainer.training.make_extension(initializer=initialize)(set_rate)


def evaluate(args, device):
    """Print the perplexities of a trained model."""
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
