"""Errors for people: one sentence instead of a traceback."""
import contextlib
import os
import signal
import sys

from experiments.common import signals


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
        _quit(str(problem))
    except BrokenPipeError:
        # The reader of our output (``head``, say) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _quit(describe(error))
    except MemoryError:
        _quit('out of memory; choose a smaller configuration or a machine '
              'with more')
    except KeyboardInterrupt as interrupt:
        if not isinstance(interrupt, signals.Interrupted):
            interrupt = signals.Interrupted(signal.SIGINT)
        _say(str(interrupt))
        signals.die(interrupt.number)


def warn(message):
    """Says in one line what went wrong without ending the program."""
    with contextlib.suppress(OSError):  # where this goes may be full, too
        print('warning: ' + message, file=sys.stderr, flush=True)


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


def _quit(message):
    _say('error: ' + message)
    sys.exit(1)


def _say(message):
    for stream, text in (sys.stdout, ''), (sys.stderr, message + '\n'):
        with contextlib.suppress(OSError):
            stream.write(text)
            stream.flush()
