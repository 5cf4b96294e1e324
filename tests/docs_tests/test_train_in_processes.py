import json
import pathlib

import numpy
import pytest


SCRIPT = (pathlib.Path(__file__).parents[2]
          / 'docs/_examples/train_in_processes.py')


def test_same_parameters_as_one_process(mpiexec, tmp_path):
    """Training in two processes gives the parameters of one process.

    One batch contains all examples, so their order does not matter.
    """
    for n in 1, 2:
        process = mpiexec(n, SCRIPT, '--batch-size', '500', '--epoch', '10',
                          '--out', tmp_path / str(n))
        assert process.returncode == 0, process.stderr
    single, several = [numpy.load(tmp_path / str(n) / 'model.npz')
                       for n in (1, 2)]
    for name, expected in single.items():
        numpy.testing.assert_allclose(
            several[name], expected, rtol=0,
            atol=1e-4 * abs(expected).max(), err_msg=name)
    one, two = [json.loads((tmp_path / str(n) / 'log').read_text())[-1]
                for n in (1, 2)]
    assert two['validation/main/loss'] == pytest.approx(
        one['validation/main/loss'], rel=1e-4)
    assert two['validation/main/accuracy'] > .95
