"""Start a separate process for code that imports qrnn."""
import os
import pathlib
import subprocess
import sys
import textwrap

import qrnn


# Folder that contains the package qrnn: the checkout or site-packages
ROOT = pathlib.Path(qrnn.__file__).parents[1]


def run(code, *arguments, options=(), path=(ROOT,)):
    """Run code in a separate Python process, outside the project's folder."""
    environ = dict(
        os.environ, PYTHONPATH=os.pathsep.join(map(str, path)))
    return subprocess.run(
        [sys.executable, *options, '-c', textwrap.dedent(code), *arguments],
        env=environ, cwd='/', capture_output=True, text=True)


def succeed(*args, **kwargs):
    done = run(*args, **kwargs)
    assert done.returncode == 0, done.stderr
    return done
