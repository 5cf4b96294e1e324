"""SIGTERM, Ctrl-C and a closed terminal: how they end a program."""
import contextlib
import os
import signal
import threading
import time


# mpiexec hands on SIGUSR1, and kills soon after any other.
_NUMBERS = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1

# Further signals within this many seconds are the same one: ``timeout`` and
# ``make`` send it to the process and to its group.
_SAME = 1.


class Interrupted(KeyboardInterrupt):

    """A signal that ends the program.

    Args:
        number (int): Number of the signal.
        advice (str): How to go on, or ``''``.

    """

    def __init__(self, number, advice=''):
        super(Interrupted, self).__init__(number, advice)
        self.number = number
        self.advice = advice

    def __str__(self):
        name = ('Ctrl-C' if self.number == signal.SIGINT
                else signal.Signals(self.number).name)
        return 'interrupted by {}{}'.format(
            name, self.advice and '; ' + self.advice)


@contextlib.contextmanager
def raised():
    """Context in which a signal raises :class:`Interrupted` at once."""
    def arrived(number):
        raise Interrupted(number)

    with _handled(arrived):
        yield


class Deferred(object):

    """Context in which a signal only leaves its number.

    What goes on inside has to look for it where it can end. Otherwise the end
    of the context raises :class:`Interrupted`.

    Args:
        notice (str): What to print when a signal comes, or ``None``.

    Attributes:
        number (int): Number of the signal, or ``None``.

    """

    def __init__(self, notice):
        self.number = None
        self._notice = notice

    def __enter__(self):
        self._context = _handled(self._arrived)
        self._context.__enter__()
        return self

    def __exit__(self, kind, *exception):
        self._context.__exit__(None, None, None)
        if kind is None and self.number is not None:
            raise Interrupted(self.number)

    def _arrived(self, number):
        self.number = number
        if self._notice is None:
            return
        # Not print: what is interrupted may be writing to the same stream.
        with contextlib.suppress(OSError):
            os.write(2, '{}; {}\n'.format(
                Interrupted(number), self._notice).encode())


def die(number):
    """Ends the process by a signal, as if it had never been handled.

    So the shell sees 128 + ``number``, and one that runs several commands in
    a row, in a loop for instance, does not go on with the next after Ctrl-C.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@contextlib.contextmanager
def _handled(arrived):
    """Context in which the first signal calls a function, a second kills."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return
    first = []

    def handle(number, frame):
        now = time.monotonic()
        if not first:
            first.append(now)
            arrived(number)
        elif now - first[0] > _SAME:
            die(number)

    # What is ignored, by ``nohup`` for instance, stays ignored.
    before = {number: signal.getsignal(number) for number in _NUMBERS
              if signal.getsignal(number) != signal.SIG_IGN}
    _handlers.append(handle)
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _handlers.remove(handle)


# Handlers of contexts that are not left, which a fork takes from the child. A
# handler of Python's runs when the interpreter next looks for signals. That is
# never, if the one signal with which a pool ends a worker comes after its last
# look and before it waits for a lock: pool and worker would wait for ever.
_handlers = []
_forking = threading.local()


def _hold_signals():
    # Python forgets the signals that reach the child before its first look.
    _forking.mask = signal.pthread_sigmask(
        signal.SIG_BLOCK, _NUMBERS if _handlers else ())


def _release_signals():
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _restore_default_actions():
    for number in _NUMBERS:
        if signal.getsignal(number) in _handlers:
            signal.signal(number, signal.SIG_DFL)
    _release_signals()


os.register_at_fork(
    before=_hold_signals, after_in_parent=_release_signals,
    after_in_child=_restore_default_actions)
