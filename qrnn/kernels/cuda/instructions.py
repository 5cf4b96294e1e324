"""Count the instructions of every recurrent kernel, without a GPU.

Run as ``python -m qrnn.kernels.cuda.instructions [sm_90]``. It needs NVRTC, as
:mod:`qrnn.kernels.cuda.resources` does, and NVIDIA's disassembler, from a CUDA
toolkit or the wheel ``nvidia-cuda-nvdisasm``.

What is counted is one way through the kernel's loop over time. Of all ways it
has the most loads, stores and transcendental functions: the steps are there,
and all gradients arrive. Of those it is the shortest: no zoneout is drawn, and
there are no guards where the kernel does without. A loop within, over the
warps of a block, counts as often as it runs. The unit is a step of 32
channels.
"""
import argparse
import collections
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans
from qrnn.kernels.cuda import resources
from qrnn.kernels.cuda import traffic


KINDS = ('sequential', 'block_scan', 'reduce')  # of an operation's kernels

Instruction = collections.namedtuple('Instruction', 'guard name arguments')

_LINE = re.compile(r'/\*[0-9a-f]+\*/\s+(?:(@!?\w+) )?\s*([A-Z0-9_.]+)(.*);')
_LABEL = re.compile(r'(\.L_\w+):')
_TARGET = re.compile(r'`\((\.L_\w+)\)')


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog='python -m qrnn.kernels.cuda.instructions')
    parser.add_argument('architecture', nargs='?', default='sm_90')
    args = parser.parse_args(argv)
    nvrtc, nvdisasm = resources.find_nvrtc(), find_nvdisasm()
    if nvrtc is None or nvdisasm is None:
        missing = 'NVRTC' if nvrtc is None else 'nvdisasm'
        raise SystemExit(f'{missing} is not installed')
    version = '.'.join(map(str, nvrtc.version))
    print(f'NVRTC {version}, {args.architecture}; instructions for a step of '
          '32 channels')
    line = '{:<9}{:<18}{:>11.0f}{:>11.0f}{:>9.0f}'
    print(line.replace('.0f', '').format('module', 'operation', *KINDS))
    for module in launch.modules():
        if module.family not in ('strnn', 'pooling'):
            continue
        kernels = functions(disassemble(
            nvdisasm, nvrtc.cubin(module, args.architecture)))
        for operation in ('forward', 'backward'):
            operation = f'{module.family}_{operation}'
            name = f'{module.pooling or module.family} {module.bits}'
            print(line.format(name, operation, *(
                per_step(module, operation, kind, *kernels[
                    f'{operation}_{kind}']) for kind in KINDS)), flush=True)


def find_nvdisasm():
    """Return the disassembler's path, or None."""
    found = [path for folder in sys.path for path in glob.glob(
        os.path.join(folder, 'nvidia', '*', 'bin', 'nvdisasm'))]
    toolkit = os.path.join(
        os.environ.get('CUDA_PATH', '/usr/local/cuda'), 'bin')
    return next(iter(found), None) or shutil.which('nvdisasm') or shutil.which(
        'nvdisasm', path=toolkit)


def disassemble(nvdisasm, cubin):
    """Return the text of machine code."""
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(cubin)
        file.flush()
        return subprocess.run([nvdisasm, '-c', file.name], check=True,
                              stdout=subprocess.PIPE, text=True).stdout


def functions(text):
    """Return kernels by name: instructions, and where their branches go."""
    found, labels = {}, {}
    for line in map(str.strip, text.splitlines()):
        start = re.match(r'\.text\.(\w+):', line)
        label, instruction = _LABEL.match(line), _LINE.search(line)
        if start:
            labels = {}
            found[start.group(1)] = instructions, _ = [], labels
        elif label and found:
            labels[label.group(1)] = len(instructions)
        elif instruction and found:
            instructions.append(Instruction(*instruction.groups()))
    return {name: (instructions, {
        i: labels[target.group(1)]
        for i, (_, operation, arguments) in enumerate(instructions)
        for target in [_TARGET.search(arguments)]
        if operation.startswith('BRA') and target
        and target.group(1) in labels})
        for name, (instructions, labels) in found.items()}


def per_step(module, operation, kind, instructions, targets):
    """Return the instructions that a kernel issues for a step."""
    read, write, again = traffic.VALUES[operation][module.pooling]
    backward = operation.endswith('backward')
    loads = again + (backward and module.family == 'pooling')  # and gc
    itemsize, counts = module.bits // 8, []
    loops = [(start, end) for end, start in targets.items() if start < end]
    for start, end in loops:
        way = _way(instructions, targets, start, end)
        if way is None:
            continue
        if kind == 'reduce':
            steps = way['LDG'] / itemsize / loads
        elif backward:
            steps = way['STG'] / itemsize / write
        else:
            steps = bool(way['STG']) * way['LDG'] / itemsize / read
        if not steps:
            continue
        count = way['all'] / steps
        if kind == 'block_scan':
            count += _over_warps(module, operation, instructions, targets, [
                loop for loop in loops if start <= loop[0] and loop[1] < end])
        counts.append(count)
    return min(counts)  # where there is a loop for the rest, with its guards


def _over_warps(module, operation, instructions, targets, loops):
    """Return those of the loop over the slices of a block, for a step."""
    ways = [_way(instructions, targets, *loop) for loop in loops]
    ways = [way for way in ways if way and way['LDS']]
    per_byte = min((way['all'] / way['LDS'] for way in ways), default=0)
    size = 2 * max(4, module.bits // 8)  # product and sum
    steps = plans.SLICE[operation.rpartition('_')[2]][module.bits]
    return per_byte * size * plans.WARPS[module.bits] / steps


def _way(instructions, targets, start, end):
    """Return what the way from an instruction to a branch has, or None.

    Bytes of 'LDG', 'STG' and 'LDS', and instructions, 'all'.
    """
    best = {end: (0, -1, collections.Counter(all=1))}
    for i in range(end - 1, start - 1, -1):
        guard, name, arguments = instructions[i]
        after = {i + 1}
        if name.startswith('BRA'):
            forward = targets.get(i, 0) if targets.get(i, 0) > i else None
            always = guard is None and not re.search(
                r'\bU?P\d', arguments.split('`')[0])
            after = ({forward} if always and forward else {i + 1, forward})
        elif name.startswith(('EXIT', 'RET')) and guard is None:
            after = set()
        ways = [best[j] for j in after if j in best]
        if not ways:
            continue
        work, shortness, counts = max(ways, key=lambda way: way[:2])
        kind = name.split('.')[0]
        wanted = kind in ('LDG', 'STG') and '.U8' not in name
        counts = counts + collections.Counter(
            {'all': 1, kind: _width(name) if wanted or kind == 'LDS' else 0})
        best[i] = work + (wanted or kind == 'MUFU'), shortness - 1, counts
    return best[start][2] if start in best else None


def _width(name):
    """Return the bytes that an instruction loads or stores."""
    sizes = {'128': 16, '64': 8, 'U16': 2, 'U8': 1}
    return next((sizes[part] for part in name.split('.') if part in sizes), 4)


if __name__ == '__main__':
    main()
