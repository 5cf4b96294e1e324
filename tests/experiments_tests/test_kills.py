"""Runs that are killed at random and resumed give the same results.

To kill runs of all experiments 50 times, run
``QRNN_KILLS=50 QRNN_KILLS_SEED=1 pytest -s tests/experiments_tests/\
test_kills.py``.
"""
import collections
import json
import os
import signal
import subprocess
import sys

import pytest


HERE = os.path.dirname(os.path.abspath(__file__))

# Expected exit status of a process after each signal
STATUS = {'SIGKILL': -signal.SIGKILL, 'SIGTERM': -signal.SIGTERM,
          'SIGINT': -signal.SIGINT}


COUNT = os.environ.get('QRNN_KILLS', '5')


@pytest.mark.timeout(1800 + 600 * int(COUNT))
def test_kills(tmp_path, assert_same_run):
    seed = os.environ.get('QRNN_KILLS_SEED', '0')
    process = subprocess.run(
        [sys.executable, os.path.join(HERE, 'kills.py'), str(tmp_path), COUNT,
         seed],
        env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(HERE)),
                 OPENBLAS_NUM_THREADS='1'),
        stdout=subprocess.PIPE, text=True)
    assert process.returncode == 0
    kills = json.loads(process.stdout)

    failures = [(folder, kind, status) for folder, kind, status in kills
                if status != STATUS[kind.split()[0]]]
    runs = {folder for folder, _, _ in kills}
    for folder in sorted(runs):
        try:
            _compare(tmp_path, folder, assert_same_run)
        except (AssertionError, OSError) as error:
            failures.append(f'{folder}: {error}')
    kinds = collections.Counter(kind for _, kind, _ in kills)
    kinds = ', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))
    print(f'\n{len(kills)} kills in {len(runs)} runs ({kinds}), '
          f'{len(failures)} failures, seed {seed}')
    assert not failures
    assert len(kills) == int(COUNT)


def _compare(tmp_path, folder, assert_same_run):
    """Compare a run with an uninterrupted run."""
    name = folder.partition('-')[2]
    out, reference = tmp_path / folder, tmp_path / ('reference-' + name)
    last = max((file for file in os.listdir(reference)
                if file.startswith('snapshot_iter_')),
               key=lambda file: int(file.rpartition('_')[2]))
    assert_same_run(reference, out, last)
    assert _outcome(reference) == _outcome(out)
    output = (tmp_path / (folder + '.txt')).read_text()
    assert 'Traceback' not in output
    assert not [file for file in os.listdir(out) if 'tmp' in file]


def _outcome(folder):
    """Return the part of ``result.json`` that kills must not change."""
    result = json.loads((folder / 'result.json').read_text())
    for name in 'starts', 'seconds_per_epoch', 'test_sentences_per_second':
        result.pop(name, None)
    for entry in result['curve']:
        del entry['elapsed_time']
    return result
