"""Faults planted in the kernels' text are caught by the checks on the host.

A check that has never failed proves little.
"""
import pytest

from qrnn_tests.kernels_tests import cases
from qrnn_tests.kernels_tests import host_device
from qrnn_tests.kernels_tests.host_device import HostDevice
from qrnn_tests.kernels_tests.host_device import KernelError


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

FIRST_BARRIER = '    __syncthreads();\n    carry = pass('
OTHER_BUFFER = ('    slices = slices == slices_of_tiles ? '
                'slices + warps * LANES\n' + 39 * ' ' + ': slices_of_tiles;\n')

FAULTS = {
    'the state of the wrong step': (
        'fetch(hs.at(s - 1))', 'fetch(hs.at(s))', AssertionError, 'warps'),
    'the gate of the wrong step': (
        'Op::DOWN ? padded - 1 - p : p', 'Op::DOWN ? padded - 1 - p : p ^ 1',
        AssertionError, 'channels'),
    'a missing barrier': (
        FIRST_BARRIER, '    carry = pass(', AssertionError, 'warps'),
    'shared memory written while still read': (
        OTHER_BUFFER, '', AssertionError, 'warps'),
    'a barrier that some threads do not reach': (
        FIRST_BARRIER, '    if (op.inside) __syncthreads();\n'
        '    carry = pass(', KernelError, 'warps'),
    'a step taken for covered': (
        'return s + count <= steps;', 'return s + count <= steps + 3;',
        KernelError, 'warps'),
    'a channel past the last': (
        'inside = n < channels();', 'inside = true;', KernelError, 'channels'),
    'a step past the last': (
        'if (full || s < steps) put(hs.at(s), carry);',
        'put(hs.at(s), carry);',
        KernelError, 'warps'),
    'an output left unwritten': (
        'if (full || s < steps) put(hs.at(s), carry);',
        'if (full || s + 1 < steps) put(hs.at(s), carry);', AssertionError,
        'channels'),
    'a chunk that ignores those before it': (
        'put(carries + k * channels + n, carry);',
        'put(carries + k * channels + n, Carry(0));', AssertionError,
        'split'),
}


class Edit:
    """Plants a fault in a source text."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def __call__(self, text):
        assert self.old in text
        return text.replace(self.old, self.new)


@pytest.mark.parametrize('order', ['up', 'down', 'shuffled'])
@pytest.mark.parametrize('name', FAULTS)
def test_fault(name, order):
    old, new, error, regime = FAULTS[name]
    key = name, old, new  # one build for all orders
    device = HostDevice(order, _edits.setdefault(key, Edit(old, new)))
    with pytest.raises(error):
        cases.check_strnn(_case(regime), device)


@pytest.mark.parametrize('order', ['up', 'down', 'shuffled'])
@pytest.mark.parametrize('regime', ['channels', 'warps', 'split'])
def test_without_fault(regime, order):
    cases.check_strnn(_case(regime), HostDevice(order))


_edits = {}


def _case(regime):
    case = next(cases.cover(cases.STRNN))
    return case._replace(dtype='float32', regime=regime, reverse=False, B=1,
                         T=205, C=7, h0=True, strided=False)
