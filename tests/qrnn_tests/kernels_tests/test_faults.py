"""Faults inserted into the sources of the kernels are detected on the host."""
import types

import pytest

from qrnn.kernels.cuda import plans
from qrnn_tests.kernels_tests import cases
from qrnn_tests.kernels_tests import covering
from qrnn_tests.kernels_tests import host_device
from qrnn_tests.kernels_tests import loss_cases
from qrnn_tests.kernels_tests.host_device import HostDevice
from qrnn_tests.kernels_tests.host_device import KernelError


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

FIRST_BARRIER = '    __syncthreads();\n    carry = pass('
OTHER_BUFFER = ('    slices = slices == slices_of_tiles ? '
                'slices + warps * LANES\n' + 39 * ' ' + ': slices_of_tiles;\n')

FAULTS = {
    'the state of the wrong step': (
        'fetch(hs.at(s - 1))', 'fetch(hs.at(s))', AssertionError,
        'block_scan'),
    'the gate of the wrong step': (
        'Op::DOWN ? padded - 1 - p : p', 'Op::DOWN ? padded - 1 - p : p ^ 1',
        AssertionError, 'sequential'),
    'a missing barrier': (
        FIRST_BARRIER, '    carry = pass(', AssertionError, 'block_scan'),
    'shared memory written while still read': (
        OTHER_BUFFER, '', AssertionError, 'block_scan'),
    'a barrier that some threads do not reach': (
        FIRST_BARRIER, '    if (op.inside) __syncthreads();\n'
        '    carry = pass(', KernelError, 'block_scan'),
    'a guard that covers too much': (
        'return s + count <= steps;', 'return s + count <= steps + 3;',
        KernelError, 'block_scan'),
    'a channel past the last': (
        'inside = n < channels();', 'inside = true;', KernelError,
        'sequential'),
    'a step past the last': (
        'if (full || s < steps) put(hs.at(s), carry);',
        'put(hs.at(s), carry);',
        KernelError, 'block_scan'),
    'an output left unwritten': (
        'if (full || s < steps) put(hs.at(s), carry);',
        'if (full || s + 1 < steps) put(hs.at(s), carry);', AssertionError,
        'sequential'),
    'a chunk that ignores those before it': (
        'put(carries + k * channels + n, carry);',
        'put(carries + k * channels + n, Carry(0));', AssertionError,
        'chunked_scan'),
}

#: Faults that :mod:`loss_cases` detects.
LOSS_FAULTS = {
    'an element past the last': (
        'if (at < size)', 'if (first < size)', KernelError, 'dropout'),
    'a word of another element': (
        'words.at[k]', 'words.at[3 - k]', AssertionError, 'dropout'),
    'a label past the last': (
        '&& label < V', '', (AssertionError, KernelError), 'softmax'),
    'a label before the first': (
        'label >= 0 &&', '', (AssertionError, KernelError), 'softmax'),
    'a sum of another maximum': (
        'total * exp(largest - score) + times', 'total + times',
        AssertionError, 'softmax'),
    'no barrier before others\' parts are read': (
        '    __syncthreads();\n    if (i < half) parts[i].add',
        '    if (i < half) parts[i].add', AssertionError, 'softmax'),
    'no barrier before the whole is read': (
        '  __syncthreads();\n\n  const Softmax all', '  const Softmax all',
        AssertionError, 'softmax'),
    'a mean over all rows': (
        'part.number += counts(label_of(t, t_bits, n), ignore_label, V)',
        'part.number += 1', AssertionError, 'softmax'),
}


class Edit:
    """Function that inserts a fault into source code."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def __call__(self, text):
        assert self.old in text
        return text.replace(self.old, self.new)


@pytest.mark.parametrize('order', ['up', 'down', 'shuffled'])
@pytest.mark.parametrize('name', FAULTS)
def test_fault(name, order):
    old, new, error, regime = FAULTS[name]
    key = name, old, new  # all orders share one build
    device = HostDevice(order, _edits.setdefault(key, Edit(old, new)))
    with pytest.raises(error):
        cases.check_strnn(_case(regime), device)


@pytest.mark.parametrize('name', LOSS_FAULTS)
def test_fault_of_losses(name):
    """A fault is detected in at least one order of the threads."""
    old, new, error, check = LOSS_FAULTS[name]
    with pytest.raises(error):
        for order in 'down', 'up', 'shuffled':
            _check_losses(check, HostDevice(order, Edit(old, new)))


@pytest.mark.parametrize('order', ['up', 'down', 'shuffled'])
@pytest.mark.parametrize('check', ['dropout', 'softmax'])
def test_losses_without_fault(check, order):
    _check_losses(check, HostDevice(order))


@pytest.mark.parametrize('order', ['up', 'down', 'shuffled'])
@pytest.mark.parametrize('regime', plans.REGIMES)
def test_without_fault(regime, order):
    cases.check_strnn(_case(regime), HostDevice(order))


_edits = {}


def _check_losses(check, device):
    if check == 'dropout':
        loss_cases.check_dropout(types.SimpleNamespace(
            dtype='float32', ratio=.25, shape=(3, 5, 700), strided=False),
            device)
        return
    for ignored in 'some', 'no such label':
        loss_cases.check_softmax(types.SimpleNamespace(
            dtype='float32', N=7, V=200, label_dtype='i', ignore_label=-1,
            ignored=ignored, scale=10.), device)


def _case(regime):
    case = next(covering.cover(cases.STRNN))
    return case._replace(dtype='float32', regime=regime, reverse=False, B=1,
                         T=205, C=7, h0=True, strided=False)
