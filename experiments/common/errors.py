"""Errors for people: one sentence instead of a traceback."""
import contextlib
import os
import re
import signal
import sys
import time

from experiments.common import launcher
from experiments.common import signals


# Ends the program with a status; where several processes train together, all
# of them.
end = sys.exit


class Problem(Exception):

    """What was wrong and what to do about it, in one sentence."""


def run(main):
    """Runs a command and turns what stops it into one line and a status.

    Args:
        main: Function without arguments. What it raises as
            :class:`Problem` and what the operating system refuses (a full
            disk, a folder that cannot be written) end the program with
            one line on standard error and a status other than 0; so do
            signals, see :func:`~experiments.common.signals.die`. Anything
            else is a fault of the program and keeps its traceback.

    """
    try:
        main()
    except Problem as problem:
        complain(str(problem))
    except BrokenPipeError:
        # The reader of our output (``head``, say) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        end(1)
    except OSError as error:
        complain(describe(error))
    except MemoryError:
        complain('out of memory; choose a smaller configuration or a machine '
                 'with more')
    except KeyboardInterrupt as interrupt:
        if not isinstance(interrupt, signals.Interrupted):
            interrupt = signals.Interrupted(signal.SIGINT)
        _say(str(interrupt))
        signals.die(interrupt.number)


def warn(message):
    """Says in one line what went wrong without ending the program."""
    with contextlib.suppress(OSError):  # where this goes may be full, too
        print('warning: ' + _printable(message), file=sys.stderr, flush=True)


def describe(error):
    """Says an exception in one line, with the file where there is one."""
    reason = getattr(error, 'strerror', None) or str(error) or repr(error)
    name = getattr(error, 'filename', None)
    reason = ' '.join(str(reason).split())
    return '{}: {}'.format(name, reason) if name else reason


@contextlib.contextmanager
def explained(message, *kinds):
    """Turns exceptions of the given kinds into a :class:`Problem`.

    Args:
        message (str): What to say; ``{}`` in it becomes the reason.
        kinds: Exception classes.

    """
    try:
        yield
    except kinds as error:
        raise Problem(message.replace('{}', describe(error))) from error


def complain(message, status=1):
    """Ends the program with a line on standard error and a status."""
    _say('error: ' + message)
    end(status)


_PATIENCE = 2  # seconds


def _say(message):
    if launcher.rank():
        # The first process mostly has the same to say, and its end is that
        # of all.
        time.sleep(_PATIENCE)
        message += ' (process {})'.format(launcher.rank())
    line = _printable(message) + '\n'
    for stream, text in (sys.stdout, ''), (sys.stderr, line):
        with contextlib.suppress(OSError):
            stream.write(text)
            stream.flush()


def _printable(message):
    """Without what controls a terminal, which names of files may hold."""
    return re.sub('[\x00-\x1f\x7f-\x9f]', '?', message)
