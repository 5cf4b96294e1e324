"""Trains a translator: ``python -m experiments.iwslt.train --help``."""
import dataclasses

import chainer
from chainer import training
import numpy

from experiments.common import arguments
from experiments.common import best_model
from experiments.common import communication
from experiments.common import errors
from experiments.common import sharing
from experiments.common.buckets import BucketSampler
from experiments.common.iterators import TrackingIterator
from experiments.common.plot import CurvePlot
from experiments.common.precision import GradientClipping
from experiments.common.training import add_perplexities
from experiments.common.training import extend
from experiments.common.training import main as run_command
from experiments.common.training import Run
from experiments.iwslt import data
from experiments.iwslt import grammar
from experiments.iwslt import score
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import TINY
from experiments.iwslt.model import Translator


def main(argv=None):
    """Trains as the command line says and writes what came of it."""
    run_command('iwslt', parse(argv), train)


def parse(argv=None):
    parser = arguments.training_parser(
        'iwslt', CONFIGS, default_config='small')
    parser.add_argument(
        '--data', metavar='SOURCE', default='sample',
        help="'sample' for pairs that the project generates itself "
             '(default), or a folder with the German-English files of IWSLT '
             'or with train, dev or val, and test or test_*, each .de and '
             '.en')
    parser.add_argument(
        '--unchecked', action='store_true',
        help='take files that look wrong: with unequal numbers of lines, of '
             'which those that both have are taken, or the same for training '
             'and another part')
    parser.add_argument(
        '--extra', metavar='SET', nargs='+', default=[],
        help='train on further sets of the folder, too: all whose names '
             'begin so, but never on dev and test')
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
        corpus = data.Corpus(
            'sample', grammar.sample(64, 8, 8), config.max_length)
    else:
        config = CONFIGS[args.config]
        corpus = processes.once(lambda: data.load(
            args.data, config.max_length, args.extra,
            checked=not args.unchecked))
    config = arguments.configure(config, args, processes)
    print(corpus)
    run = Run(args, {
        'experiment': 'iwslt',
        'config': args.config,
        'settings': dataclasses.asdict(config),
        'data': {'source': corpus.source,
                 'sets': corpus.sets,
                 'characters': len(corpus.characters),
                 'pairs': {part: len(getattr(corpus, part))
                           for part in data.PARTS},
                 'training_fingerprint': corpus.fingerprint('train', 'dev'),
                 # Of what the scores belong to
                 'fingerprint': corpus.fingerprint('test')},
        'seed': args.seed,
    }, device, processes)
    model = Translator(config, len(corpus.characters))
    print('{}: {:,} parameters, {} epochs'.format(
        args.config, model.count_params(), args.epoch or config.n_epochs))
    trainer, best = _trainer(model, config, corpus, run)
    run.train(trainer, characters=list(corpus.characters))
    return _finish(trainer, best, model, corpus, run)


def _trainer(model, config, corpus, run):
    """The trainer with all its extensions, and the one with the best model.

    Args:
        model (Translator): The model, on the CPU.
        config (Config): Settings of the training.
        corpus (Corpus): The pairs.
        run (Run): The run that it is for.

    """
    examples = corpus.examples('train')
    iterator = TrackingIterator(
        examples, config.batch_size,
        order_sampler=BucketSampler(
            [n_source + n_target for _, _, n_source, n_target in examples],
            config.batch_size, random=run.order))
    optimizer = run.processes.multi_node(setup_optimizer(model, config))
    updater = sharing.Updater(
        iterator, optimizer, score.batch, run.device, run.processes,
        count=score.n_targets)
    trainer = training.Trainer(
        updater, (run.args.epoch or config.n_epochs, 'epoch'), run.args.out)

    trainer.extend(score.evaluator(
        model, corpus, 'dev', processes=run.processes))
    best = best_model.BestModel(model)
    plot = CurvePlot(
        'perplexity.png',
        {'perplexity': 'training', 'validation/perplexity': 'development'},
        'perplexity per character', None)
    extend(trainer, run, best, plot,
           columns=['epoch', 'perplexity', 'validation/perplexity',
                    'elapsed_time'],
           postprocess=add_perplexities)
    return trainer, best


def setup_optimizer(model, config):
    """Return the optimizer of a model, with its clipping."""
    optimizer = chainer.optimizers.Adam(
        config.alpha, config.beta1, config.beta2, config.eps).setup(model)
    optimizer.add_hook(GradientClipping(config.max_norm))
    return optimizer


def _finish(trainer, best, model, corpus, run):
    """Scores the best model, prints and writes the result."""
    best_model.load_parameters(trainer.out, model, run.processes)
    scores, _ = score.scores(
        model, corpus, 'test', processes=run.processes)
    outcome = dict({
        'parameters': model.count_params(),
        'epochs': trainer.updater.epoch,
        'best_epoch': best.epoch,
        'training_pairs': len(corpus.train),
        'validation_perplexity': float(numpy.exp(best.value)),
    }, **{'test_' + name: value for name, value in scores.items()})
    print('Best epoch: {best_epoch} of {epochs}\n'
          'Development perplexity: {validation_perplexity:.3f}'.format(
              **outcome))
    print(score.describe('Test', scores))
    return run.finish(trainer, outcome)


if __name__ == '__main__':
    errors.run(main)
