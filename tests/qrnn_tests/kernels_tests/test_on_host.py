"""Test the kernels, compiled for the host and run under sanitizers."""
import os

import pytest

from qrnn_tests.kernels_tests import cases
from qrnn_tests.kernels_tests import covering
from qrnn_tests.kernels_tests import host_device
from qrnn_tests.kernels_tests import loss_cases
from qrnn_tests.kernels_tests import step_cases
from qrnn_tests.kernels_tests.host_device import HostDevice


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

#: If True, test all combinations of sizes, which takes half an hour.
#: Otherwise, test combinations that contain most pairs of values.
FULL = bool(os.environ.get('QRNN_FULL_MATRIX'))


def matrix(factors, *crossed):
    if FULL:
        return covering.parametrize(
            factors, *crossed, 'B', 'T', 'C', most=400000)
    return covering.parametrize(factors, *crossed)


@matrix(cases.STRNN, 'dtype', 'regime', 'reverse')
def test_strnn(case):
    cases.check_strnn(case, HostDevice('shuffled'))


@covering.parametrize(cases.WINDOWS, 'dtype', 'k', 'lookahead')
def test_windows(case):
    cases.check_windows(case, HostDevice('shuffled'))


@covering.parametrize(cases.LSTM, 'dtype', 'lengths')
def test_lstm(case):
    cases.check_lstm(case, HostDevice('shuffled'))


@covering.parametrize(loss_cases.DROPOUT, 'dtype', 'ratio')
def test_dropout(case):
    loss_cases.check_dropout(case, HostDevice('shuffled'))


@covering.parametrize(loss_cases.SOFTMAX, 'dtype', 'ignored')
def test_softmax(case):
    loss_cases.check_softmax(case, HostDevice('shuffled'))


# With these values, the step needs only modules that test_windows and
# test_pooling compile.
@covering.parametrize({
    **step_cases.STEP, 'zoneout': [None, 'seed'], 'gated': [True]},
    'pooling', 'dtype')
def test_step(case):
    step_cases.check_step(case, HostDevice('shuffled'))


@covering.parametrize(loss_cases.ATTENTION, 'dtype', 'lengths')
def test_attention(case):
    loss_cases.check_attention(case, HostDevice('shuffled'))


def test_not_finite():
    loss_cases.check_not_finite(HostDevice())


def test_rounding():
    cases.check_rounding(HostDevice())


# g++ needs one or two seconds to compile each combination of activations,
# gating and expectation. Therefore, unusual values of these factors are tested
# separately, with few values of the other factors.
@matrix(cases.POOLING if FULL else {
    **cases.POOLING, 'zoneout': [None, 'seed', 'mask', 'everywhere'],
    'activations': ['usual'], 'gated': [True]}, 'pooling', 'dtype', 'regime')
def test_pooling(case):
    cases.check_pooling(case, HostDevice('shuffled'))


@covering.parametrize({
    **cases.POOLING, 'dtype': ['float32'], 'zoneout': ['expectation'],
    'activations': ['some', 'others'],
    'gated': [False], 'lengths': ['some'],
    'b': ['each'], 'c0': [True], 'grads': ['h c c_last'], 'B': [3],
    'T': [17, 105], 'C': [7, 33]}, 'pooling', 'activations')
def test_other_activations(case):
    cases.check_pooling(case, HostDevice('shuffled'))
