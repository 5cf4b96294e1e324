"""Trains a language model: ``python -m experiments.ptb.train --help``."""
import dataclasses

import chainer
from chainer import training
from chainer.training import extensions

from experiments.common import arguments
from experiments.common import best_model
from experiments.common import communication
from experiments.common import errors
from experiments.common.plot import CurvePlot
from experiments.common.precision import GradientClipping
from experiments.common.training import add_perplexities
from experiments.common.training import extend
from experiments.common.training import main as run_command
from experiments.common.training import Run
from experiments.ptb import data
from experiments.ptb import grammar
from experiments.ptb import stream
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import TINY


def main(argv=None):
    """Trains as the command line says and writes what came of it."""
    run_command('ptb', parse(argv), train)


def parse(argv=None):
    parser = arguments.training_parser('ptb', CONFIGS, default_config='small')
    parser.add_argument(
        '--data', metavar='SOURCE', default='sample',
        help="'sample' for text that the project generates itself (default), "
             "'download' for the Penn Treebank from the web, or a folder "
             'with ptb.train.txt, ptb.valid.txt and ptb.test.txt, gzipped '
             'or not')
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
        config = TINY
        corpus = data.Corpus('sample', grammar.sample(100, 20, 20))
    else:
        config = CONFIGS[args.config]
        corpus = processes.once(lambda: data.load(args.data))
    config = arguments.configure(config, args, processes)
    print(corpus)
    run = Run(args, {
        'experiment': 'ptb',
        'config': args.config,
        'settings': dataclasses.asdict(config),
        'data': {'source': corpus.source,
                 'vocabulary': len(corpus.vocabulary),
                 'tokens': {part: len(getattr(corpus, part))
                            for part in data.PARTS},
                 'fingerprint': corpus.fingerprint},
        'seed': args.seed,
    }, device, processes)
    model = LanguageModel(config, len(corpus.vocabulary))
    print('{}: {:,} parameters, {} epochs'.format(
        args.config, model.count_params(), args.epoch or config.n_epochs))
    trainer, best = _trainer(model, config, corpus, run)
    run.train(trainer, words=corpus.vocabulary)
    return _finish(trainer, best, model, corpus, run)


def _trainer(model, config, corpus, run):
    """The trainer with all its extensions, and the one with the best model.

    Args:
        model (LanguageModel): The model, on the CPU.
        config (Config): Settings of the training.
        corpus (Corpus): The text.
        run (Run): The run that it is for.

    """
    iterator = stream.StreamIterator(
        corpus.train, config.batch_size, config.n_steps, corpus.eos)
    optimizer = run.processes.multi_node(setup_optimizer(model, config))
    updater = stream.StreamUpdater(
        iterator, optimizer, run.device, run.processes)
    trainer = training.Trainer(
        updater, (run.args.epoch or config.n_epochs, 'epoch'), run.args.out)

    trainer.extend(stream.StreamEvaluator(
        corpus.valid, model, corpus.eos, run.processes))
    trainer.extend(extensions.observe_lr(), trigger=(1, 'epoch'))
    trainer.extend(_learning_rate(optimizer, config))
    best = best_model.BestModel(model)
    plot = CurvePlot(
        'perplexity.png',
        {'perplexity': 'training', 'validation/perplexity': 'validation'},
        'perplexity',
        ('unigrams, validation', corpus.unigram_perplexity('valid')))
    extend(trainer, run, best, plot,
           columns=['epoch', 'lr', 'perplexity', 'validation/perplexity',
                    'elapsed_time'],
           postprocess=add_perplexities)
    return trainer, best


def setup_optimizer(model, config):
    """The optimizer of a model, with its regularisation."""
    optimizer = chainer.optimizers.SGD(config.lr).setup(model)
    # The decay belongs to the loss, so it comes before the clipping.
    if config.l2:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(config.l2))
    optimizer.add_hook(GradientClipping(config.max_norm))
    return optimizer


def _learning_rate(optimizer, config):
    """Extension that sets the rate of the epoch to come.

    It follows from the number of the epoch alone, so a resumed run needs
    no memory of it.
    """
    def learning_rate(trainer):
        n_decays = trainer.updater.epoch + 1 - config.n_full_lr_epochs
        optimizer.lr = config.lr * config.lr_decay ** max(n_decays, 0)

    return training.make_extension(
        (1, 'epoch'), initializer=learning_rate)(learning_rate)


def _finish(trainer, best, model, corpus, run):
    """Scores the best model, prints and writes the result."""
    best_model.load_parameters(trainer.out, model, run.processes)
    scores = stream.scores(model, corpus, run.processes)
    outcome = {
        'parameters': model.count_params(),
        'epochs': trainer.updater.epoch,
        'best_epoch': best.epoch,
        'validation_perplexity': scores['valid'],
        'test_perplexity': scores['test'],
        'unigram_validation_perplexity': corpus.unigram_perplexity('valid'),
        'unigram_test_perplexity': corpus.unigram_perplexity('test'),
    }
    print('Best epoch: {best_epoch} of {epochs}\n'
          'Validation perplexity: {validation_perplexity:.2f} '
          '(unigrams: {unigram_validation_perplexity:.2f})\n'
          'Test perplexity: {test_perplexity:.2f} '
          '(unigrams: {unigram_test_perplexity:.2f})'.format(**outcome))
    return run.finish(trainer, outcome)


if __name__ == '__main__':
    errors.run(main)
