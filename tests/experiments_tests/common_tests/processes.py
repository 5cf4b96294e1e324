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

import qrnn  # noqa: F401  patches Chainer before it is imported

from chainer.training import updaters

from experiments.common import cli
from experiments.common import extensions
from experiments.imdb import train as imdb
from experiments.iwslt import train as iwslt
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
    """Train every model in a precision."""
    for name in EXPERIMENTS:
        train(name, os.path.join(out, dtype, name), '--dtype', dtype,
              *arguments)


def train_with_breaks(out, *arguments):
    """Train every model twice, once in two goes, and start a third time.

    The first go of one ends when a signal comes to the second process, and
    the last of all when that is killed.
    """
    def run(part, name, *more):
        train(name, os.path.join(out, part, name), '--snapshot-every', '3',
              '--epoch', '2', *arguments, *more, **RANDOM[name])

    for name in EXPERIMENTS:
        run('whole', name)
        with at_iteration(7, interrupt if name == 'iwslt' else cut):
            with contextlib.suppress(Cut, cli.Interrupted):
                run('cut', name)
        run('cut', name, '--resume')
    with at_iteration(7, kill):
        run('killed', 'ptb')


class Cut(Exception):
    pass


def cut():
    raise Cut


def interrupt():
    if cli.launched('RANK') == 1:
        os.kill(os.getpid(), signal.SIGUSR1)


def kill():
    if cli.launched('RANK') == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def at_iteration(iteration, act):
    """Context in which something happens after a training's update."""
    update = updaters.StandardUpdater.update

    def update_and_act(self):
        update(self)
        if self.iteration == iteration:
            act()

    with mock.patch.object(
            updaters.StandardUpdater, 'update', update_and_act):
        yield


def train(name, out, *arguments, **settings):
    """Train one of them as a command would."""
    module = EXPERIMENTS[name]
    tiny = dataclasses.replace(module.TINY, **dict(SETTINGS, **settings))
    # A picture takes longer than all the rest.
    with mock.patch.object(module, 'TINY', tiny), \
            mock.patch.object(extensions.Curves, '__call__', lambda *_: None):
        module.main(['--test', '--out', out, *arguments])


if __name__ == '__main__':
    function, *arguments = sys.argv[1:]
    cli.run(lambda: globals()[function](*arguments))
