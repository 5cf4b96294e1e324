"""Command lines: arguments, errors, signals and exit statuses."""
import argparse
import contextlib
import os
import signal
import sys
import time

import chainer
from chainer.backends import cuda
import numpy


class UserError(Exception):
    """Error that a user can fix, with a message that explains how."""


class Interrupted(KeyboardInterrupt):
    """Raised if a signal ends a run; ``advice`` explains how to resume it."""

    def __init__(self, number, advice):
        super().__init__(number, advice)
        self.number = number
        name = signal.Signals(number).name.replace('SIGINT', 'Ctrl-C')
        self.message = f'interrupted by {name}; {advice}'


#: Function that ends all processes of the program with an exit status.
end = sys.exit


def run(main):
    """Run a command, and report errors and signals in one line.

    After a :class:`UserError` or an error of the operating system, such as a
    full disk, the exit status is 1. After a signal, the process ends by that
    signal. Other exceptions are bugs and keep their traceback.
    """
    _set_up_streams()
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        main()
    except UserError as error:
        fail(_with_notes(str(error), error))
    except BrokenPipeError:
        # The reader of the output, for example ``head``, has closed it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        end(1)
    except OSError as error:
        fail(_with_notes(describe(error), error))
    except MemoryError as error:
        fail(_with_notes('out of memory; choose a smaller configuration or a '
                         'machine with more', error))
    except Interrupted as interrupt:
        _say(interrupt.message)
        die(interrupt.number)


def _interrupt(number, frame):
    """End the process after Ctrl-C outside of the training loop.

    Python's own handler raises ``KeyboardInterrupt``. In a callback of C code,
    for example while llvmlite compiles a function, this exception would be
    ignored.
    """
    _say('interrupted by Ctrl-C')
    die(number)


def _with_notes(message, error):
    """Return a message, followed by the notes of an exception."""
    return '; '.join([message, *getattr(error, '__notes__', [])])


def _set_up_streams():
    """Replace closed standard streams, and escape unsupported characters.

    A closed stream is replaced by the null device. If it were not replaced,
    the next file that is opened would get the file descriptor of the stream.
    """
    for name, mode in ('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w'):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors='backslashreplace')


def die(number):
    """End the process by a signal, with the default action of the signal.

    A shell then sees the status 128 + ``number`` and ends its current loop.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def fail(message, status=1):
    """Print an error and end the program with an exit status."""
    _say('error: ' + message)
    end(status)


def _say(line):
    if launched('RANK'):
        # Wait, because the root process usually reports the same error and
        # then ends all processes.
        time.sleep(2)
        line += f" (process {launched('RANK')})"
    for stream, text in (sys.stdout, ''), (sys.stderr, line + '\n'):
        # The disk may be full, or a signal may arrive while the stream is in
        # use.
        with contextlib.suppress(OSError, RuntimeError):
            stream.write(text)
            stream.flush()


def describe(error):
    """Describe an exception in one line, with its file name if it has one."""
    reason = getattr(error, 'strerror', None) or str(error) or repr(error)
    name = getattr(error, 'filename', None)
    reason = ' '.join(str(reason).split())
    return f'{name}: {reason}' if name else reason


@contextlib.contextmanager
def explained(message, *kinds):
    """Context that turns exceptions of given types into a :class:`UserError`.

    ``{}`` in the message is replaced with the description of the exception.
    """
    try:
        yield
    except kinds as error:
        raise UserError(message.replace('{}', describe(error))) from error


def launched(name):
    """Return the rank of this process, or the number of processes.

    ``name`` is ``'RANK'`` or ``'SIZE'``. Without mpiexec, return None.
    """
    for prefix in 'OMPI_COMM_WORLD_', 'PMI_':  # set by Open MPI or MPICH
        value = os.environ.get(prefix + name, '')
        if value.isdigit():
            return int(value)
    return None


class Parser(argparse.ArgumentParser):
    """Argument parser whose errors are a single line."""

    def __init__(self, prog, **kwargs):
        super().__init__(
            prog='python -m experiments.' + prog, allow_abbrev=False, **kwargs)

    def error(self, message):
        fail(f'{message} (see --help)', status=2)


def add_device(parser):
    """Add ``--device`` to a parser."""
    parser.add_argument(
        '--device', '-d', metavar='DEVICE', default='-1',
        help='-1 or @numpy for the CPU (default), 0 or @cupy:0 for the '
             'first GPU')


def use_device(specifier):
    """Make a NumPy or CuPy device the current device, and return it."""
    reason = 'only NumPy and CuPy are supported'
    try:
        device = chainer.get_device(specifier)
        device.use()
        if device.xp in (numpy, cuda.cupy):
            return device
    except Exception as error:  # Chainer and CUDA raise many types of errors
        reason = describe(error)
    raise UserError(
        f'device {specifier} cannot be used ({reason}); use --device -1 for '
        'the CPU or 0 for the first GPU')


def number(kind, low, high):
    """Return an argparse type for numbers from ``low`` to ``high``."""
    def convert(text):
        with contextlib.suppress(ValueError):
            if low <= kind(text) <= high:
                return kind(text)
        name = {int: 'a whole number', float: 'a number'}[kind]
        raise argparse.ArgumentTypeError(
            f'{text!r} is not {name} from {low} to {high}')
    return convert


positive = number(int, 1, 2 ** 31 - 1)
not_negative = number(float, 0, 10 ** 9)
seed = number(int, 0, 2 ** 32 - 1)  # NumPy accepts these seeds
