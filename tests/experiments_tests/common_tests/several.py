"""Trains tiny models of all experiments, in one process or in several.

As a command, which mpiexec starts, it takes the name of a function and its
arguments.
"""
import contextlib
import dataclasses
import os
import signal
import sys
from unittest import mock

import qrnn  # NOQA  patches Chainer before it is imported

from chainer.training import updaters

from experiments.common import errors
from experiments.common import launcher
from experiments.common import plot
from experiments.common import signals
from experiments.imdb import train as imdb
from experiments.iwslt import train as iwslt
from experiments.ptb import stream
from experiments.ptb import train as ptb


EXPERIMENTS = {'ptb': ptb, 'imdb': imdb, 'iwslt': iwslt}

# Nothing in them is drawn at random but the first parameters and the order.
SETTINGS = {'batch_size': 8, 'dropout': 0., 'n_epochs': 1}

# Something is drawn, and kept, wherever they draw and keep something.
RANDOM = {
    'ptb': {'dropout': .5, 'zoneout': .1},
    'imdb': {'layer': 'pqrnn', 'n_features': 16, 'distortion': .3,
             'zoneout': .1},
    'iwslt': {'dropout': .5},
}


def train_all(out, dtype, *arguments):
    """Trains every model in a precision."""
    for name, module in EXPERIMENTS.items():
        train(module, os.path.join(out, dtype, name), '--dtype', dtype,
              *arguments)


def train_with_breaks(out, *arguments):
    """Trains every model twice, once in two goes, and starts a third time.

    The first go of one ends when a signal comes to the second process, and
    the last of all when that is killed.
    """
    def run(part, name, *more):
        train(EXPERIMENTS[name], os.path.join(out, part, name),
              '--snapshot-every', '3', '--epoch', '2', *arguments, *more,
              **RANDOM[name])

    for name in EXPERIMENTS:
        run('whole', name)
        with at_iteration(7, interrupt if name == 'iwslt' else cut):
            try:
                run('cut', name)
            except (Cut, signals.Interrupted):
                pass
        run('cut', name, '--resume')
    with at_iteration(7, kill):
        run('killed', 'ptb')


class Cut(Exception):
    pass


def cut():
    raise Cut


def interrupt():
    if launcher.rank() == 1:
        os.kill(os.getpid(), signal.SIGUSR1)


def kill():
    if launcher.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def at_iteration(iteration, act):
    """Context in which something happens after a training's update."""
    update = updaters.StandardUpdater.update

    def update_and_act(self):
        update(self)
        if self.iteration == iteration:
            act()

    updaters.StandardUpdater.update = update_and_act
    try:
        yield
    finally:
        updaters.StandardUpdater.update = update


def train(module, out, *arguments, **settings):
    """Trains one of them as a command would."""
    tiny = dataclasses.replace(module.TINY, **dict(SETTINGS, **settings))
    iterator = stream.StreamIterator

    def short(words, n_rows, n_steps, *arguments, **options):
        """So that all processes have their turn in an evaluation."""
        return iterator(words, n_rows, min(n_steps, 20), *arguments, **options)

    with mock.patch.object(module, 'TINY', tiny), \
            mock.patch.object(stream, 'StreamIterator', short):
        module.main(['--test', '--out', out] + list(arguments))


if __name__ == '__main__':
    plot._figure = lambda: None  # it takes longer than all the rest
    function, *arguments = sys.argv[1:]
    errors.run(lambda: globals()[function](*arguments))
