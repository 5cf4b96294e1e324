"""Commands that may be stopped before they have come to their end."""
import contextlib
import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import threading


@dataclasses.dataclass(frozen=True)
class Piece(object):

    """How a command ended.

    Attributes:
        stopped (bool): Whether that was because its time was over.
        fault (str): Why it failed, in one line, or ``None``.

    """

    stopped: bool
    fault: str


def run_piece(arguments, seconds=float('inf'), grace=45, log=None):
    """Runs Python with some arguments, for some time at most.

    When the time is over, and when it is interrupted itself, it sends
    ``SIGTERM``, upon which a training writes a snapshot and ends; what is
    still there after some more seconds is killed. Both output streams are
    passed on.

    Args:
        arguments (list of str): The arguments.
        seconds (float): The time, which may be infinite.
        grace (float): How many seconds it has to end by itself.
        log (str): Name of a file that the output is added to, or ``None``.

    Returns:
        Piece: How it ended.

    """
    shown = '$ {}\n'.format(command_line(arguments))
    if log:
        os.makedirs(os.path.dirname(log) or '.', exist_ok=True)
    with open(log or os.devnull, 'ab', buffering=0) as f:
        f.write(shown.encode())
        print(shown, end='', flush=True)
        # In a session of its own: Ctrl-C reaches it through us alone.
        process = subprocess.Popen(
            [sys.executable] + arguments, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONUNBUFFERED='1'),
            start_new_session=True)
        streams = [_Stream(process.stdout, sys.stdout, f),
                   _Stream(process.stderr, sys.stderr, f)]
        stopped = False
        try:
            process.wait(None if seconds == float('inf') else seconds)
        except subprocess.TimeoutExpired:
            stopped = True
        finally:
            if process.poll() is None:
                _stop(process, grace)
            for stream in streams:
                stream.join(timeout=grace)
    return Piece(stopped, _fault(
        process.returncode, stopped, streams[1].last))


def command_line(arguments):
    """What to type for :func:`run_piece` to run it."""
    return shlex.join(['python'] + arguments)


def _stop(process, grace):
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # With the processes that it has started, those of a pool say.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _fault(status, stopped, last):
    if status == 0:
        return None
    if status < 0:
        name = signal.Signals(-status).name
        expected = stopped and name in ('SIGTERM', 'SIGKILL')
        return None if expected else 'ended by {}'.format(name)
    if stopped and status == 128 + signal.SIGTERM:
        return None
    return last.removeprefix('error: ') or 'ended with status {}'.format(
        status)


class _Stream(threading.Thread):

    """Passes on what comes out of a pipe, and remembers the last line."""

    def __init__(self, pipe, out, log):
        super(_Stream, self).__init__(daemon=True)
        self.last = ''
        self._pipe = pipe
        self._out = out
        self._log = log
        self.start()

    def run(self):
        for line in self._pipe:
            text = line.decode('utf-8', 'replace')
            self.last = text.strip() or self.last
            # Nobody may be reading, or the disk be full; the command shall
            # not wait for that.
            try:
                self._log.write(line)
                self._out.write(text)
                self._out.flush()
            except (OSError, ValueError):
                pass
        self._pipe.close()
