"""Trains a translator: ``python -m experiments.iwslt.train --help``."""
import dataclasses

import chainer
from chainer import training as chainer_training
import numpy

from experiments.common import checkpoint
from experiments.common import cli
from experiments.common import precision
from experiments.common import result
from experiments.common import training
from experiments.common.distributed import BucketIterator
from experiments.common.distributed import Updater
from experiments.iwslt import data
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import load
from experiments.iwslt.model import TINY
from experiments.iwslt.model import Translator
from experiments.iwslt.score import convert
from experiments.iwslt.score import describe
from experiments.iwslt.score import evaluator
from experiments.iwslt.score import score


def main(argv=None):
    """Train, or score what was trained, as the command line says."""
    parser = training.parser(
        'iwslt', CONFIGS,
        "'sample' for pairs that the project generates itself (default), or "
        'a folder with the German-English files of IWSLT or with train, dev '
        'or val, and test or test_*, each .de and .en')
    parser.add_argument(
        '--extra', metavar='SET', nargs='+', default=[],
        help='train on further sets of the folder, too: all whose names '
             'begin so, but never on dev and test')
    parser.add_argument(
        '--unchecked', action='store_true',
        help='take files that look wrong: with unequal numbers of lines, of '
             'which those that both have are taken, or the same for training '
             'and another part')
    args = parser.parse_args(argv)
    if args.eval_only:
        evaluate(args)
    else:
        training.main('iwslt', args, train)


def train(args):
    """Train a model, score the best epoch's, and return the result."""
    processes = training.join(args.communicator)
    device = processes.use_device(args.device)
    config = training.configure(
        TINY if args.test else CONFIGS[args.config], args)
    corpus = processes.once(lambda: (
        data.sample(config.max_length, 64, 8) if args.test else data.load(
            args.data, config.max_length, args.extra,
            checked=not args.unchecked)))
    print(corpus)
    run = training.Run(args, {
        'experiment': 'iwslt', 'config': args.config,
        'settings': dataclasses.asdict(config), 'data': corpus.facts,
    }, device, processes)
    model = Translator(config, len(corpus.characters))
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = processes.multi_node(setup_optimizer(model, config))
    examples = corpus.examples('train')
    iterator = BucketIterator(
        examples, [n_source + n_target for *_, n_source, n_target in examples],
        config.batch_size, run.order)
    updater = Updater(
        iterator, optimizer, convert, device, processes,
        count=lambda batch: sum(n_target for *_, n_target in batch))
    trainer = chainer_training.Trainer(
        updater, (config.n_epochs, 'epoch'), args.out)
    best = checkpoint.BestModel(model)

    def draw(out, log):
        result.draw_curves(
            f'{out}/perplexity.png', log, {
                'perplexity': 'training',
                'validation/perplexity': 'development'},
            'perplexity per character')

    run.extend(
        trainer, best, evaluator(model, corpus, 'dev'),
        ['epoch', 'perplexity', 'validation/perplexity', 'elapsed_time'],
        draw, postprocess=training.add_perplexities)
    run.train(trainer, characters=list(corpus.characters))

    best.restore()
    scores = processes.once(lambda: score(model, corpus))
    perplexity = float(numpy.exp(best.value))
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f'Development perplexity: {perplexity:.3f}\n{describe(scores)}')
    return run.finish(trainer, {
        'best_epoch': best.epoch,
        'training_pairs': len(examples),
        'validation_perplexity': perplexity,
        **{f'test_{name}': value for name, value in scores.items()}})


def setup_optimizer(model, config):
    """Return the optimizer of a model, with its clipping."""
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
    print(corpus)
    print(describe(score(model, corpus)))


if __name__ == '__main__':
    cli.run(main)
