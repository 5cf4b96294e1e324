"""Trains a translator: ``python -m experiments.iwslt.train --help``."""
import chainer
import numpy

from experiments.common import cli
from experiments.common import precision
from experiments.common import training
from experiments.common.distributed import BucketIterator
from experiments.common.distributed import Updater
from experiments.iwslt import data
from experiments.iwslt import score
from experiments.iwslt.model import CONFIGS
from experiments.iwslt.model import load
from experiments.iwslt.model import TINY
from experiments.iwslt.model import Translator


def main(argv=None):
    """Train, or score what was trained, as the command line says."""
    training.main('iwslt', CONFIGS, TINY, add_arguments, train, evaluate, argv)


def add_arguments(parser):
    parser.add_argument(
        '--data', metavar='SOURCE',
        help="'sample' for pairs that the project generates itself (default), "
             'or a folder with the German-English files of IWSLT or with '
             'train, dev or val, and test or test_*, each .de and .en')
    parser.add_argument(
        '--extra', metavar='SET', nargs='+', default=[],
        help='train on further sets of the folder, too: all whose names '
             'begin so, but never on dev and test')
    parser.add_argument(
        '--unchecked', action='store_true',
        help='take files of unequal length, the lines that both have, and '
             'the same pairs for training and another part')


def train(run):
    """Train a model, score the best epoch's, and write the result."""
    args, config = run.args, run.config
    corpus = run.processes.once(lambda: (
        data.sample(config.max_length, 64, 8) if args.test else data.load(
            args.data, config.max_length, args.extra,
            checked=not args.unchecked)))
    print(corpus)
    model = Translator(config, len(corpus.characters))
    print(f'{args.config}: {model.count_params():,} parameters, '
          f'{config.n_epochs} epochs')
    optimizer = run.processes.multi_node(setup_optimizer(model, config))
    examples = corpus.examples('train')
    iterator = BucketIterator(
        examples, [n_source + n_target for *_, n_source, n_target in examples],
        config.batch_size, run.order)
    updater = Updater(
        iterator, optimizer, score.convert, run.device, run.processes,
        count=lambda batch: sum(n_target for *_, n_target in batch))
    best = run.train(
        updater,
        evaluators={'validation': score.evaluator(model, corpus, 'dev')},
        columns=['epoch', 'perplexity', 'validation/perplexity',
                 'elapsed_time'],
        curves=['perplexity', 'validation/perplexity'],
        facts={'data': corpus.facts},
        description={'characters': list(corpus.characters)},
        postprocess=training.add_perplexities)

    scores = run.processes.once(lambda: score.scores(model, corpus))
    perplexity = float(numpy.exp(best.value))
    print(f'Best epoch: {best.epoch} of {updater.epoch}\n'
          f'Development perplexity: {perplexity:.3f}\n'
          + score.describe(scores))
    run.finish({
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


def evaluate(args, device):
    """Print the scores of a trained model."""
    model, characters, description = load(args.eval_only)
    model.to_device(device)
    corpus = data.load(
        args.data or description['data']['source'],
        description['settings']['max_length'], characters=characters,
        checked=not args.unchecked)
    print(f'{corpus}\n{score.describe(score.scores(model, corpus))}')


if __name__ == '__main__':
    cli.run(main)
