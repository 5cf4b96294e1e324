"""An iteration of the PTB model, shared by processes that mpiexec starts.

``OMP_NUM_THREADS=1 mpiexec -n N python -m benchmarks.processes`` prints how
long it takes. Efficiency is the time of one process over N times that of N.
"""
import statistics
import time

import chainer
import numpy

from experiments.common import cli
from experiments.common.processes import join
from experiments.ptb import stream
from experiments.ptb.model import CONFIGS
from experiments.ptb.model import LanguageModel
from experiments.ptb.train import setup_optimizer


_N_WORDS = 10000  # the vocabulary of the Penn Treebank
_N_ITERATIONS = 9  # the first is not counted


def main(name='naive'):
    """Train on random words, in batches of 20 x 105 over all processes."""
    config = CONFIGS['qrnn-zoneout']
    processes = join(name, config.batch_size)
    device = chainer.get_device('@numpy')
    numpy.random.seed(0)
    words = numpy.random.randint(
        0, _N_WORDS, config.batch_size * config.n_steps * _N_ITERATIONS)
    model = LanguageModel(config, _N_WORDS)
    updater = stream.StreamUpdater(
        stream.StreamIterator(words, config.batch_size, config.n_steps),
        processes.prepare(setup_optimizer(model, config), device), device,
        processes)
    seconds = []
    for _ in range(_N_ITERATIONS):
        processes.gather(None)  # all start together
        start = time.perf_counter()
        updater.update()
        seconds.append(time.perf_counter() - start)
    print(f'{processes.size} processes: {1000 * min(seconds[1:]):.0f} ms at '
          f'least, {1000 * statistics.median(seconds[1:]):.0f} ms in the '
          'median')


if __name__ == '__main__':
    cli.run(main)
