"""A device that runs CUDA kernels on a machine without a GPU.

g++ compiles the sources of the kernels with the options of the launcher. The
launches of ``qrnn.kernels.cuda.plans`` run in a separate process under the
address and undefined-behaviour sanitizers. Only ``device.cu`` is replaced, by
``host/device.h``.
"""
import atexit
import ctypes
import functools
import hashlib
import importlib.resources
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

import numpy

from qrnn.kernels.cuda import launch as launcher


HERE = pathlib.Path(__file__).parent / 'host'
FLAGS = ['-std=c++17', '-O0', '-g', '-Wall', '-Wextra',
         '-Wno-unknown-pragmas', '-Wno-missing-field-initializers',
         '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
ORDERS = {'up': 0, 'down': 1, 'shuffled': 2}

compiler = shutil.which('g++')


class KernelError(AssertionError):
    """Error that a sanitizer or ``driver.cc`` reports for a kernel."""


class HostDevice:
    """Device that runs each module in a process with sanitizers.

    Args:
        order (str): Order in which the blocks run, and in which the threads
            of a block run between two barriers: up, down or shuffled.
        edit (callable): Function that receives the source code of a module
            and returns modified source code, which contains a fault.

    """

    xp = numpy
    last_only = False  # if True, run only the last block of channels

    def __init__(self, order='up', edit=None):
        self.order = ORDERS[order]
        self.edit = edit
        self.kernels = []  # names of launched kernels
        self.bytes = [0, 0]  # numbers of bytes read and written

    def empty(self, shape, dtype):
        return numpy.full(shape, numpy.nan, dtype)

    def launch(self, module, launches):
        process = start(module, self.edit)
        for launch in launches:
            self.kernels.append(launch.kernel)
            counts = process.run(launch, self.order, self.last_only)
            self.bytes = [a + b for a, b in zip(self.bytes, counts)]


class LargeDevice(HostDevice):
    """Host device that stores arrays larger than the memory in sparse files.

    Only the last channels of a launch are computed.

    Args:
        folder (pathlib.Path): Folder for the files.

    """

    last_only = True

    def __init__(self, folder, edit=None):
        super().__init__(edit=edit)
        self.folder = folder

    def empty(self, shape, dtype):
        with tempfile.NamedTemporaryFile(
                dir=self.folder, delete=False) as file:
            return numpy.memmap(file.name, dtype, 'r+', shape=shape)


@functools.lru_cache(maxsize=None)
def start(module, edit=None):
    text = launcher.source(module.family)
    device = importlib.resources.files('qrnn.kernels.cuda') / 'device.cu'
    text = text.replace(device.read_text(encoding='utf-8'), '', 1)
    if edit is not None:
        text = edit(text)
    return Process(build(text, launcher.options(module)[1:]))


class Process:
    """Process that runs the kernels of a module; see ``host/driver.cc``."""

    def __init__(self, executable):
        self.executable = executable
        self.process = None

    def run(self, launch, order, last_only=False):
        if self.process is None:
            self.process = subprocess.Popen(
                [self.executable], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0'))
            # At exit, communicate() closes stdin, which ends the process.
            atexit.register(self.process.communicate)
        name = launch.kernel.encode()
        job = [_words(len(name)), name, _words(
            *launch.grid, *launch.block, launch.shared, order, last_only,
            len(launch.args))]
        arrays = []
        for value in launch.args:
            base = getattr(value, 'base', None)
            if isinstance(base, numpy.memmap):
                value = base  # the array of the whole file
            if isinstance(value, numpy.memmap):
                path = value.filename.encode()
                job += [_words(-2, value.nbytes, len(path)), path]
            elif isinstance(value, numpy.ndarray):
                content = ctypes.string_at(value.ctypes.data, _span(value))
                arrays.append((value, content))
                job += [_words(len(content)), content]
            elif isinstance(value, float):
                job += [_words(-1), struct.pack('d', value)]
            else:
                job.append(_words(-1, 0 if value is None else value))
        try:
            self.process.stdin.write(b''.join(job))
            self.process.stdin.flush()
        except BrokenPipeError:
            self._fail(launch)
        for array, content in arrays:
            answer = self._read(launch, len(content))
            if answer != content:
                ctypes.memmove(array.ctypes.data, answer, len(answer))
        return struct.unpack('2q', self._read(launch, 16))

    def _read(self, launch, size):
        answer = self.process.stdout.read(size)
        if len(answer) != size:
            self._fail(launch)
        return answer

    def _fail(self, launch):
        report = self.process.communicate()[1].decode(errors='replace')
        self.process = None
        raise KernelError(
            f'{launch.kernel} {launch.grid} {launch.block}:\n{report[:4000]}')


def _words(*numbers):
    return struct.pack(f'{len(numbers)}q', *numbers)


def _span(array):
    """Return the number of bytes that an array spans in memory."""
    if array.size == 0:
        return 0
    return array.itemsize + sum(
        (n - 1) * stride for n, stride in zip(array.shape, array.strides))


def build(text, definitions):
    """Compile and link a module, or reuse a build of the same source."""
    driver = _compile('driver.cc', [])
    inc = _folder() / f'kernels-{_digest(text)}.inc'
    if not inc.exists():
        _write(inc, text)
    kernels = _compile('kernels.cc', [
        f'-DKERNELS="{inc}"', *definitions])
    executable = kernels.with_suffix('.exe')
    if not executable.exists():
        _gcc(executable, [driver, kernels])
    return executable


def _compile(name, arguments):
    texts = [path.read_text() for path in sorted(HERE.iterdir())
             if path.is_file()]
    digest = _digest(*texts, *FLAGS, *map(str, arguments))
    target = _folder() / f'{name}-{digest}.o'
    if not target.exists():
        _gcc(target, ['-I', HERE, *arguments, '-c', HERE / name])
    return target


def _gcc(target, arguments):
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = pathlib.Path(folder) / target.name
        done = subprocess.run(
            [compiler, *FLAGS, *map(str, arguments), '-o', made],
            stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError('g++ failed:\n' + done.stderr[:4000])
        os.replace(made, target)  # atomic, since tests may run in parallel


def _write(path, text):
    with tempfile.NamedTemporaryFile(
            'w', dir=path.parent, delete=False, encoding='utf-8') as f:
        f.write(text)
    os.replace(f.name, path)


@functools.lru_cache(maxsize=None)
def _folder():
    folder = pathlib.Path(tempfile.gettempdir()) / 'qrnn-host-kernels'
    folder.mkdir(exist_ok=True)
    return folder


def _digest(*texts):
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()[:16]
