"""Train tiny models of all experiments, in one process or several.

Tests run this module with mpiexec. The first command-line argument is the
name of a function, and the others are passed to that function.
"""
import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from unittest import mock

import qrnn  # noqa: F401  patches Chainer before the imports below

from chainer.training import updaters

from experiments.common import cli
from experiments.common import extensions
from experiments.imdb import train as imdb
from experiments.iwslt import train as iwslt
from experiments.ptb import train as ptb


EXPERIMENTS = {'ptb': ptb, 'imdb': imdb, 'iwslt': iwslt}

# With these settings, only the initial parameters and the order of the
# examples are random.
SETTINGS = {'batch_size': 8, 'dropout': 0., 'n_epochs': 1}

# With these settings, training also uses dropout, zoneout and distortion,
# and the imdb model has persistent values.
RANDOM = {
    'ptb': {'dropout': .5, 'zoneout': .1},
    'imdb': {'layer': 'pqrnn', 'n_features': 16, 'distortion': .3,
             'zoneout': .1},
    'iwslt': {'dropout': .5},
}


def train_all(out, dtype, *arguments):
    """Train every model in the given precision."""
    for name in EXPERIMENTS:
        train(name, os.path.join(out, dtype, name), '--dtype', dtype,
              *arguments)


def train_with_breaks(out, *arguments):
    """Train each model with and without an interruption, then kill a run.

    The ptb and imdb runs are interrupted by an exception in both processes,
    and the iwslt run by a signal to the second process. The run that is
    killed is another ptb run: its second process sends itself SIGKILL.
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


def train_on_lost_host(out, *arguments):
    """Train a model until the second host leaves the network."""
    with at_iteration(7, disconnect):
        train('ptb', out, '--snapshot-every', '3', *arguments)


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


def disconnect():
    if socket.gethostname() == 'hostb':  # the name of the second host
        for _, name in socket.if_nameindex():
            subprocess.run(['ip', 'link', 'set', name, 'down'], check=True)


@contextlib.contextmanager
def at_iteration(iteration, act):
    """In this context, call ``act`` after update number ``iteration``."""
    update = updaters.StandardUpdater.update

    def update_and_act(self):
        update(self)
        if self.iteration == iteration:
            act()

    with mock.patch.object(
            updaters.StandardUpdater, 'update', update_and_act):
        yield


def train(name, out, *arguments, **settings):
    """Train a tiny model with the main function of an experiment."""
    module = EXPERIMENTS[name]
    tiny = dataclasses.replace(module.TINY, **dict(SETTINGS, **settings))
    # Drawing curves would take longer than training.
    with mock.patch.object(module, 'TINY', tiny), \
            mock.patch.object(extensions.Curves, '__call__', lambda *_: None):
        module.main(['--test', '--out', out, *arguments])


if __name__ == '__main__':
    function, *arguments = sys.argv[1:]
    cli.run(lambda: globals()[function](*arguments))
