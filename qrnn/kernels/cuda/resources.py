"""Compile all kernels, and print their registers, spills and memory traffic.

Run as ``python -m qrnn.kernels.cuda.resources [--json] [sm_90 ...]``. NVRTC is
required, from a CUDA toolkit or from the wheel ``nvidia-cuda-nvrtc`` (for CUDA
12, ``nvidia-cuda-nvrtc-cu12``). A GPU and CuPy are not required.
"""
import argparse
import ctypes
import ctypes.util
import functools
import glob
import json
import os
import re
import sys

from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import traffic


ARCHITECTURES = ('sm_70', 'sm_75', 'sm_80', 'sm_90', 'sm_100')


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog='python -m qrnn.kernels.cuda.resources')
    parser.add_argument(
        'architectures', nargs='*', metavar='sm_90', default=ARCHITECTURES,
        help='architectures to compile for; those that NVRTC does not support '
        f'are skipped (default: {" ".join(ARCHITECTURES)})')
    parser.add_argument(
        '--json', action='store_true', help='print JSON instead of a table')
    args = parser.parse_args(argv)
    nvrtc = find_nvrtc()
    if nvrtc is None:
        raise SystemExit('NVRTC is not installed; install it with '
                         '"pip install nvidia-cuda-nvrtc"')
    known = [a for a in args.architectures if a in nvrtc.architectures]
    version = '.'.join(map(str, nvrtc.version))
    if args.json:
        print(json.dumps({'nvrtc': version, 'architectures': known,
                          'kernels': list(table(nvrtc, known))}, indent=1))
        return
    print(f'NVRTC {version}; registers / bytes spilled; bytes moved per '
          'element, and the least\npossible for the operation')
    line = '{:<11}{:<26}' + '{:>11}' * len(known) + '{:>7}{:>7}'
    print(line.format('module', 'kernel', *known, 'bytes', 'least'))
    for row in table(nvrtc, known):
        print(line.format(
            row['module'], row['kernel'],
            *(f"{row[a]['registers']} / {row[a]['spilled']}" for a in known),
            row.get('bytes', ''), row.get('least', '')), flush=True)


def table(nvrtc, architectures):
    """Yield the resources and the memory traffic of every kernel.

    Args:
        nvrtc (Nvrtc): Compiler.
        architectures (list of str): Architectures to compile for.

    Yields:
        dict: ``'module'`` and ``'kernel'`` are names. Each architecture is a
        key whose value is a dict with ``'registers'`` and ``'spilled'``. For
        scans, ``'bytes'`` and ``'least'`` are the actual and the minimum
        memory traffic in bytes per element.

    """
    for module in launch.modules():
        used = {a: nvrtc.resources(module, a) for a in architectures}
        for kernel in sorted(next(iter(used.values()), ())):
            name = module.pooling or module.family
            row = {'module': f'{name} {module.bits}', 'kernel': kernel}
            row.update(_bytes(kernel, module.pooling, module.bits // 8))
            for a in architectures:
                registers, spilled = used[a][kernel]
                row[a] = {'registers': registers, 'spilled': spilled}
            yield row


def _bytes(kernel, pooling, itemsize):
    """Return a dict of the actual and the minimum traffic of a scan.

    The unit is bytes per element.
    """
    operation = '_'.join(kernel.split('_')[:2])
    if operation not in traffic.VALUES:
        return {}
    least = traffic.bytes_per_element(operation, pooling, itemsize=itemsize)
    moved = least
    if kernel.endswith('reduce'):  # first pass of a chunked scan
        moved = traffic.bytes_per_element(
            operation, pooling, 'chunked_scan', itemsize) - least
    return {'bytes': moved, 'least': least}


@functools.lru_cache(maxsize=None)
def find_nvrtc():
    """Return the newest NVRTC of the installed wheels and toolkit, or None."""
    folders = [os.path.join(p, 'nvidia', '*', 'lib') for p in sys.path]
    folders += [os.path.join(os.environ.get('CUDA_PATH', '/usr/local/cuda'),
                             'lib64')]
    found = []
    for folder in folders:
        for name in glob.glob(os.path.join(folder, 'libnvrtc.so.*')):
            version = re.search(r'\.so\.(\d+)$', name)
            if version:
                found.append((int(version.group(1)), name))
    names = [name for _, name in sorted(found, reverse=True)]
    names += filter(None, [ctypes.util.find_library('nvrtc')])
    for name in names:
        try:
            return Nvrtc(_load(name))
        except OSError:
            continue
    return None


def _load(name):
    # NVRTC 13.0 finds the built-ins library only if it is already loaded.
    for builtins in glob.glob(os.path.join(
            os.path.dirname(name), 'libnvrtc-builtins.so.*')):
        ctypes.CDLL(builtins)
    return ctypes.CDLL(name)


class Nvrtc:
    """Bindings of NVIDIA's runtime compiler."""

    def __init__(self, library):
        self._library = library
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call('nvrtcVersion', ctypes.byref(major), ctypes.byref(minor))
        self.version = major.value, minor.value
        number = ctypes.c_int()
        self._call('nvrtcGetNumSupportedArchs', ctypes.byref(number))
        numbers = (ctypes.c_int * number.value)()
        self._call('nvrtcGetSupportedArchs', numbers)
        self.architectures = [f'sm_{n}' for n in numbers]

    def resources(self, module, architecture):
        """Return a dict that maps kernels to (registers, spilled bytes)."""
        log = self.compile(
            launch.source(module.family), launch.options(module) + (
                '-arch=' + architecture, '--ptxas-options=-v'))
        return {
            kernel: (int(registers), int(stores) + int(loads))
            for kernel, stores, loads, registers in re.findall(
                r"entry function '(\w+)'(?:.*\n)+?"
                r'.* (\d+) bytes spill stores, (\d+) bytes spill loads\n'
                r'.*Used (\d+) registers', log)}

    def compile(self, text, options):
        """Compile a source text to machine code, and return the log."""
        program = ctypes.c_void_p()
        self._call('nvrtcCreateProgram', ctypes.byref(program), text.encode(),
                   b'kernels.cu', 0, None, None)
        try:
            options = [o.encode() for o in options]
            failed = self._library.nvrtcCompileProgram(
                program, len(options),
                (ctypes.c_char_p * len(options))(*options))
            log = self._log(program)
        finally:
            self._call('nvrtcDestroyProgram', ctypes.byref(program))
        if failed:
            raise RuntimeError(log)
        return log

    def _log(self, program):
        size = ctypes.c_size_t()
        self._call('nvrtcGetProgramLogSize', program, ctypes.byref(size))
        content = ctypes.create_string_buffer(size.value)
        self._call('nvrtcGetProgramLog', program, content)
        return content.value.decode()

    def _call(self, name, *args):
        status = getattr(self._library, name)(*args)
        if status:
            raise RuntimeError(f'{name} failed with status {status}')


if __name__ == '__main__':
    main()
