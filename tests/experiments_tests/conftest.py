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
    """Restore handlers that ``nohup`` or a background shell disables."""
    previous = {
        number: signal.signal(number, handler) for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGHUP, signal.SIG_DFL))}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True, scope='session')
def no_curves():
    """Drawing would take longer than training; return the extension's call."""
    call = extensions.Curves.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extensions.Curves, '__call__', lambda *_: None)
        yield call


@pytest.fixture
def error_of(capsys, monkeypatch):
    """Run a command that must end with one line on standard error."""
    # A signal would end the tests.
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
    """Write pairs of a text and its label as train.jsonl and test.jsonl."""
    def write(folder, **parts):
        for part, pairs in parts.items():
            (folder / f'{part}.jsonl').write_text(''.join(
                json.dumps({'text': text, 'label': label}) + '\n'
                for text, label in pairs))
        return folder
    return write


@pytest.fixture(scope='session')
def code_block():
    """Return the code block of a language in a page of the documentation."""
    def find(page, language):
        with open(os.path.join(ROOT, 'docs', page)) as f:
            block, = re.findall(
                rf'^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)',
                f.read(), re.MULTILINE)
        return textwrap.dedent(block)
    return find


@pytest.fixture(scope='session')
def log_of():
    """Return the log of a run, without times."""
    def read(out):
        with open(os.path.join(str(out), 'log')) as f:
            log = json.load(f)
        for entry in log:
            del entry['elapsed_time']
        return log
    return read


@pytest.fixture(scope='session')
def assert_same_run(log_of):
    """Check that two runs have the same bits, except for times."""
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
