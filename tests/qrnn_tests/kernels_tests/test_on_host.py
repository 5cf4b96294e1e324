"""The kernels, compiled for the host, under sanitizers."""
import os

import pytest

from qrnn_tests.kernels_tests import cases
from qrnn_tests.kernels_tests import host_device
from qrnn_tests.kernels_tests import loss_cases
from qrnn_tests.kernels_tests import step_cases
from qrnn_tests.kernels_tests.host_device import HostDevice


pytestmark = pytest.mark.skipif(
    host_device.compiler is None, reason='needs g++')

#: Whether to test all combinations instead of all pairs (half an hour).
FULL = bool(os.environ.get('QRNN_FULL_MATRIX'))


def matrix(factors, check):
    crossed = ('pooling', 'dtype', 'regime') if 'pooling' in factors else (
        'dtype', 'regime', 'reverse')
    if FULL:
        crossed += ('B', 'T', 'C')
    return pytest.mark.parametrize(
        'case', list(cases.cover(factors, crossed, 400000 if FULL else 60000)),
        ids=cases.name_of)


@matrix(cases.STRNN, cases.check_strnn)
def test_strnn(case):
    device = HostDevice('shuffled')
    cases.check_strnn(case, device)


@pytest.mark.parametrize('case', list(cases.cover(
    cases.WINDOWS, ('dtype', 'k', 'lookahead'))), ids=cases.name_of)
def test_windows(case):
    cases.check_windows(case, HostDevice('shuffled'))


@pytest.mark.parametrize('case', list(cases.cover(
    cases.LSTM, ('dtype', 'lengths'))), ids=cases.name_of)
def test_lstm(case):
    cases.check_lstm(case, HostDevice('shuffled'))


@pytest.mark.parametrize('case', list(cases.cover(
    loss_cases.DROPOUT, ('dtype', 'ratio'))), ids=cases.name_of)
def test_dropout(case):
    loss_cases.check_dropout(case, HostDevice('shuffled'))


@pytest.mark.parametrize('case', list(cases.cover(
    loss_cases.SOFTMAX, ('dtype', 'ignored'))), ids=cases.name_of)
def test_softmax(case):
    loss_cases.check_softmax(case, HostDevice('shuffled'))


@pytest.mark.parametrize('case', list(cases.cover(
    step_cases.STEP, ('pooling', 'dtype'))), ids=cases.name_of)
def test_step(case):
    step_cases.check_step(case, HostDevice('shuffled'))


@pytest.mark.parametrize('case', list(cases.cover(
    loss_cases.ATTENTION, ('dtype', 'lengths'))), ids=cases.name_of)
def test_attention(case):
    loss_cases.check_attention(case, HostDevice('shuffled'))


def test_not_finite():
    loss_cases.check_not_finite(HostDevice())


def test_rounding():
    cases.check_rounding(HostDevice())


@matrix(cases.POOLING, cases.check_pooling)
def test_pooling(case):
    device = HostDevice('shuffled')
    cases.check_pooling(case, device)
