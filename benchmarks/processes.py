"""Training iteration of the PTB model with several processes.

``OMP_NUM_THREADS=1 mpiexec -n N python -m benchmarks.processes`` prints the
time of an iteration. The efficiency of N processes is the time of one process,
divided by N times the time of N processes.
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


_N_WORDS = 10000  # size of the vocabulary of the Penn Treebank
_N_ITERATIONS = 9  # the first iteration is a warm-up


def main(config=CONFIGS['qrnn-zoneout'], n_words=_N_WORDS):
    """Measure an iteration in which each process gets a part of the rows."""
    processes = join('naive', config.batch_size)
    device = chainer.get_device('@numpy')
    numpy.random.seed(0)
    words = numpy.random.randint(
        0, n_words, config.batch_size * config.n_steps * _N_ITERATIONS)
    model = LanguageModel(config, n_words)
    updater = stream.StreamUpdater(
        stream.StreamIterator(words, config.batch_size, config.n_steps),
        processes.prepare(setup_optimizer(model, config), device), device,
        processes)
    reporter = chainer.Reporter()  # receives losses to average over processes
    reporter.add_observer('main', model)
    seconds = []
    for _ in range(_N_ITERATIONS):
        processes.gather(None)  # synchronizes the processes
        start = time.perf_counter()
        with reporter:
            updater.update()
        seconds.append(time.perf_counter() - start)
    print(f'{processes.size} processes: minimum '
          f'{1000 * min(seconds[1:]):.0f} ms, median '
          f'{1000 * statistics.median(seconds[1:]):.0f} ms')


if __name__ == '__main__':
    cli.run(main)
