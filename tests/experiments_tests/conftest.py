import json
import os
import re
import signal
import sys
import textwrap

import numpy
import pytest

from experiments.common import cli
from experiments.common import extensions


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


@pytest.fixture(autouse=True)
def signals_are_not_ignored():
    """Restore signal handlers that ``nohup`` or a shell has disabled."""
    previous = {
        number: signal.signal(number, handler) for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGHUP, signal.SIG_DFL))}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True, scope='session')
def no_curves():
    """Disable the drawing of curves, which is slow; return the real method."""
    call = extensions.Curves.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extensions.Curves, '__call__', lambda *_: None)
        yield call


@pytest.fixture
def error_of(capsys, monkeypatch):
    """Return a function that runs a command and returns its one-line error."""
    # The real function would kill the test process with a signal.
    monkeypatch.setattr(cli, 'die', lambda number: sys.exit(128 + number))

    def run(main, *arguments):
        with pytest.raises(SystemExit) as info:
            cli.run(lambda: main(list(map(str, arguments))))
        assert info.value.code not in (0, None)
        line = capsys.readouterr().err.splitlines()
        assert len(line) == 1 and line[0].startswith('error: ')
        return line[0]
    return run


@pytest.fixture(scope='session')
def write_lines():
    """Return a function that writes texts and labels as JSON Lines files."""
    def write(folder, **parts):
        for part, pairs in parts.items():
            (folder / f'{part}.jsonl').write_text(''.join(
                json.dumps({'text': text, 'label': label}) + '\n'
                for text, label in pairs))
        return folder
    return write


@pytest.fixture(scope='session')
def code_block():
    """Return a function that finds a code block in the documentation."""
    def find(page, language):
        with open(os.path.join(ROOT, 'docs', page)) as f:
            block, = re.findall(
                rf'^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)',
                f.read(), re.MULTILINE)
        return textwrap.dedent(block)
    return find


@pytest.fixture(scope='session')
def log_of():
    """Return a function that reads the log of a run and removes the times."""
    def read(out):
        with open(os.path.join(str(out), 'log')) as f:
            log = json.load(f)
        for entry in log:
            del entry['elapsed_time']
        return log
    return read


@pytest.fixture(scope='session')
def assert_same_run(log_of):
    """Return a function that compares the files of two runs bit by bit."""
    def check(one, other, snapshot):
        for name in 'model.npz', snapshot:
            with numpy.load(os.path.join(str(one), name)) as a, \
                    numpy.load(os.path.join(str(other), name)) as b:
                assert set(a.files) == set(b.files)
                for key in set(a.files) - {'_snapshot_elapsed_time',
                                           'extensions/LogReport/_log',
                                           'extensions/WriteResult/starts'}:
                    assert numpy.array_equal(a[key], b[key]), key
        assert log_of(one) == log_of(other)
    return check
