"""Trains tiny models of all experiments, in one process or in several.

As a command, which mpiexec starts, it takes what :func:`train_all` does.
"""
import dataclasses
import os
import sys

import qrnn  # NOQA  mends Chainer before it is imported

import chainer
import numpy

from experiments.common import errors
from experiments.common import plot
from experiments.imdb import train as imdb
from experiments.iwslt import train as iwslt
from experiments.ptb import train as ptb


EXPERIMENTS = {'ptb': ptb, 'imdb': imdb, 'iwslt': iwslt}

# Nothing in them is drawn at random but the first parameters and the order.
SETTINGS = {'batch_size': 8, 'dropout': 0., 'n_epochs': 1}


def train_all(out, dtype, *arguments):
    """Trains every model, with all numbers of a dtype."""
    with chainer.using_config('dtype', numpy.dtype(dtype)):
        for name, module in EXPERIMENTS.items():
            train(module, os.path.join(out, dtype, name), *arguments)


def train(module, out, *arguments, **settings):
    """Trains one of them as a command would."""
    tiny = module.TINY
    module.TINY = dataclasses.replace(tiny, **dict(SETTINGS, **settings))
    try:
        module.main(['--test', '--out', out] + list(arguments))
    finally:
        module.TINY = tiny


if __name__ == '__main__':
    plot._figure = lambda: None  # it takes longer than all the rest
    errors.run(lambda: train_all(*sys.argv[1:]))
