"""Trains a language model: ``python -m experiments.ptb.train --help``."""
import dataclasses
import tempfile

import chainer
from chainer import training
from chainer.training import extensions
import numpy

from experiments.common import arguments
from experiments.common import best_model
from experiments.common import errors
from experiments.common import random_state
from experiments.common import result
from experiments.common import snapshots
from experiments.common.plot import CurvePlot
from experiments.common.training import extend
from experiments.common.training import run
from experiments.ptb import data
from experiments.ptb import grammar
from experiments.ptb import stream
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.model import TINY


def main(argv=None):
    """Trains as the command line says and writes what came of it."""
    args = parse(argv)
    if args.test and args.out is None:
        with tempfile.TemporaryDirectory() as args.out:
            train(args)
        print('Everything works.')
    else:
        args.out = args.out or 'out/ptb-' + args.config
        train(args)


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
    device = arguments.get_device(args.device)
    device.use()
    if args.test:
        config = TINY
        corpus = data.Corpus('sample', grammar.sample(100, 20, 20))
    else:
        config = CONFIGS[args.config]
        corpus = data.load(args.data)
    print(corpus)
    snapshots.prepare_folder(args.out, args.resume, args.overwrite)

    facts = {
        'experiment': 'ptb',
        'config': args.config,
        'settings': dataclasses.asdict(config),
        'data': {'source': corpus.source,
                 'vocabulary': len(corpus.vocabulary),
                 'tokens': {part: len(getattr(corpus, part))
                            for part in data.PARTS},
                 'fingerprint': corpus.fingerprint},
        'seed': args.seed,
    }
    environment = result.environment(device)
    random_state.seed_all(args.seed, device)
    model = LanguageModel(config, len(corpus.vocabulary))
    print('{}: {:,} parameters, {} epochs'.format(
        args.config, model.count_params(), args.epoch or config.n_epochs))
    trainer, best = _trainer(model, config, corpus, facts, device, args)
    if args.resume:
        snapshots.resume(args.resume, args.out, trainer, facts)
    best_model.save_description(
        args.out, dict(facts, words=corpus.vocabulary))
    run(trainer)
    return _finish(trainer, best, model, corpus, facts, environment)


def _trainer(model, config, corpus, facts, device, args):
    """The trainer with all its extensions, and the one with the best model.

    Args:
        model (LanguageModel): The model, on the CPU.
        config (Config): Settings of the training.
        corpus (Corpus): The text.
        facts (dict): What identifies the run.
        device (chainer.backend.Device): Where to train.
        args (argparse.Namespace): Length of training and output folder.

    """
    iterator = stream.StreamIterator(
        corpus.train, config.batch_size, config.n_steps, corpus.eos)
    optimizer = setup_optimizer(model, config)
    updater = stream.StreamUpdater(iterator, optimizer, device=device)
    trainer = training.Trainer(
        updater, (args.epoch or config.n_epochs, 'epoch'), args.out)

    trainer.extend(stream.StreamEvaluator(corpus.valid, model, corpus.eos))
    trainer.extend(extensions.observe_lr(), trigger=(1, 'epoch'))
    trainer.extend(_learning_rate(optimizer, config))
    best = best_model.BestModel(model)
    trainer.extend(best)
    extend(trainer, facts, args.snapshot_every, device,
           columns=['epoch', 'lr', 'perplexity', 'validation/perplexity',
                    'elapsed_time'],
           postprocess=_add_perplexities)
    trainer.extend(CurvePlot(
        'perplexity.png',
        {'perplexity': 'training', 'validation/perplexity': 'validation'},
        'perplexity',
        ('unigrams, validation', corpus.unigram_perplexity('valid'))))
    return trainer, best


def setup_optimizer(model, config):
    """The optimizer of a model, with its regularisation."""
    optimizer = chainer.optimizers.SGD(config.lr).setup(model)
    # The decay belongs to the loss, so it comes before the clipping.
    if config.l2:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(config.l2))
    optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(
        config.max_norm))
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


def _add_perplexities(entry):
    for prefix in '', 'validation/':
        loss = entry.get(prefix + 'main/loss')
        if loss is not None:
            entry[prefix + 'perplexity'] = float(numpy.exp(loss))


def _finish(trainer, best, model, corpus, facts, environment):
    """Scores the best model, prints and writes the result."""
    best_model.load_parameters(trainer.out, model)
    scores = stream.scores(model, corpus)
    outcome = {
        'parameters': model.count_params(),
        'epochs': trainer.updater.epoch,
        'best_epoch': best.epoch,
        'validation_perplexity': scores['valid'],
        'test_perplexity': scores['test'],
        'unigram_validation_perplexity': corpus.unigram_perplexity('valid'),
        'unigram_test_perplexity': corpus.unigram_perplexity('test'),
    }
    written = result.write_result(
        trainer.out, facts, outcome, environment,
        trainer.get_extension('LogReport').log)
    print('Best epoch: {best_epoch} of {epochs}\n'
          'Validation perplexity: {validation_perplexity:.2f} '
          '(unigrams: {unigram_validation_perplexity:.2f})\n'
          'Test perplexity: {test_perplexity:.2f} '
          '(unigrams: {unigram_test_perplexity:.2f})'.format(**outcome))
    print('Results are in {}'.format(trainer.out))
    return written


if __name__ == '__main__':
    errors.run(main)
