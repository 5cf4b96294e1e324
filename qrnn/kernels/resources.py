"""Compiles every kernel without a GPU and prints what each one uses.

Run as ``python -m qrnn.kernels.resources [sm_90 ...]``. It needs NVRTC, from a
CUDA toolkit or the wheel ``nvidia-cuda-nvrtc-cu12`` (or
``nvidia-cuda-nvrtc``), but no GPU.
"""
import ctypes
import ctypes.util
import functools
import glob
import os
import re
import sys

from qrnn.kernels import launch
from qrnn.kernels import traffic


ARCHITECTURES = ('sm_70', 'sm_75', 'sm_80', 'sm_90', 'sm_100')


def main(architectures):
    nvrtc = find_nvrtc()
    if nvrtc is None:
        raise SystemExit('NVRTC is not installed')
    print('NVRTC {}.{}; registers / bytes spilled; bytes moved per '
          'element'.format(*nvrtc.version))
    known = [a for a in architectures if a in nvrtc.architectures]
    print('{:<16}{:<26}{}{:>8}'.format(
        'module', 'kernel', ''.join(map('{:>10}'.format, known)), 'bytes'))
    for module in launch.modules():
        family, bits, pooling = module
        used = [nvrtc.resources(module, a) for a in known]
        for kernel in used[0]:
            cells = ['{} / {}'.format(*u[kernel]) for u in used]
            print('{:<16}{:<26}{}{:>8}'.format(
                '{} {}'.format(pooling or family, bits), kernel,
                ''.join(map('{:>10}'.format, cells)),
                _bytes(kernel, pooling, bits // 8)), flush=True)


def _bytes(kernel, pooling, itemsize):
    operation, _, kind = kernel.rpartition('_')
    if operation not in traffic.VALUES:
        return ''
    if kind == 'reduce':
        return itemsize * traffic.VALUES[operation][pooling][2]
    return traffic.bytes_per_element(operation, pooling, kind, itemsize)


@functools.lru_cache(maxsize=None)
def find_nvrtc():
    """The newest NVRTC installed as a wheel or a toolkit, or None."""
    folders = [os.path.join(p, 'nvidia', '*', 'lib') for p in sys.path]
    folders += [os.path.join(os.environ.get('CUDA_PATH', '/usr/local/cuda'),
                             'lib64')]
    names = [name for folder in folders
             for name in sorted(glob.glob(
                 os.path.join(folder, 'libnvrtc.so.*')), reverse=True)
             if re.search(r'\.so\.\d+$', name)]
    names += filter(None, [ctypes.util.find_library('nvrtc')])
    for name in names:
        try:
            return Nvrtc(ctypes.CDLL(name))
        except OSError:
            continue
    return None


class Nvrtc:
    """The runtime compiler, as far as it is needed here."""

    def __init__(self, library):
        self._library = library
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call('nvrtcVersion', ctypes.byref(major), ctypes.byref(minor))
        self.version = major.value, minor.value
        number = ctypes.c_int()
        self._call('nvrtcGetNumSupportedArchs', ctypes.byref(number))
        numbers = (ctypes.c_int * number.value)()
        self._call('nvrtcGetSupportedArchs', numbers)
        self.architectures = ['sm_{}'.format(n) for n in numbers]

    def resources(self, module, architecture):
        """Registers and bytes spilled of every kernel of a module."""
        family, bits, pooling = module
        log = self.compile(
            launch.source(family), launch.options(bits, pooling) + (
                '-arch=' + architecture, '--ptxas-options=-v'))
        return {
            kernel: (int(registers), int(stores) + int(loads))
            for kernel, stores, loads, registers in re.findall(
                r"entry function '(\w+)'(?:.*\n)+?"
                r'.* (\d+) bytes spill stores, (\d+) bytes spill loads\n'
                r'.*Used (\d+) registers', log)}

    def compile(self, text, options):
        """Compiles to machine code and returns the compiler's log."""
        program = ctypes.c_void_p()
        self._call('nvrtcCreateProgram', ctypes.byref(program), text.encode(),
                   b'kernels.cu', 0, None, None)
        try:
            options = [o.encode() for o in options]
            failed = self._library.nvrtcCompileProgram(
                program, len(options),
                (ctypes.c_char_p * len(options))(*options))
            size = ctypes.c_size_t()
            self._call('nvrtcGetProgramLogSize', program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            self._call('nvrtcGetProgramLog', program, log)
            if failed:
                raise RuntimeError(log.value.decode())
            return log.value.decode()
        finally:
            self._call('nvrtcDestroyProgram', ctypes.byref(program))

    def _call(self, name, *args):
        status = getattr(self._library, name)(*args)
        if status:
            raise RuntimeError('{} failed with {}'.format(name, status))


if __name__ == '__main__':
    main(sys.argv[1:] or ARCHITECTURES)
