import os
import subprocess
import sys

import pytest

from experiments.common import errors


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


@pytest.fixture
def complaint(capsys):
    """Runs a command that must end with one line on standard error."""
    def run(main, *arguments):
        with pytest.raises(SystemExit) as info:
            errors.run(lambda: main([str(each) for each in arguments]))
        assert info.value.code not in (0, None)
        line = capsys.readouterr().err.splitlines()
        assert len(line) == 1 and line[0].startswith('error: ')
        return line[0]
    return run


@pytest.fixture
def python():
    """Starts Python in the root of the project, as a user would."""
    def start(*arguments):
        environment = dict(os.environ, PYTHONPATH=ROOT)
        return subprocess.run(
            [sys.executable] + [str(each) for each in arguments], cwd=ROOT,
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
    return start
