import dataclasses

from benchmarks import processes
from experiments.ptb.model import CONFIGS


def test_time_of_an_iteration(mpiexec):
    process = mpiexec(2, '-m', 'tests.benchmarks_tests.test_processes')
    assert process.returncode == 0, process.stderr
    assert '2 processes: minimum ' in process.stdout


if __name__ == '__main__':
    processes.main(dataclasses.replace(
        CONFIGS['small'], batch_size=4, n_steps=5), n_words=10)
