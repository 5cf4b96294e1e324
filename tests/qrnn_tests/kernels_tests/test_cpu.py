"""Test the CPU loops against the reference implementations."""
import subprocess
import sys

import numpy
import pytest

from qrnn.kernels import cpu
from qrnn.kernels import philox
from qrnn_tests.kernels_tests import cases
from qrnn_tests.kernels_tests import covering
from qrnn_tests.kernels_tests import loss_cases
from qrnn_tests.kernels_tests import step_cases


def without_regimes(factors, *full):
    return covering.parametrize({
        name: factors[name] for name in factors if name != 'regime'}, *full)


@without_regimes(cases.STRNN, 'dtype', 'reverse')
def test_strnn(case):
    cases.check_strnn(case)


# Numba needs two seconds to compile each combination of activations, gating
# and dtype. Therefore, this module and functions_tests/test_pooling.py combine
# unusual activations with one dtype only.
@without_regimes({
    **cases.POOLING, 'activations': ['usual'], 'gated': [True]},
    'pooling', 'dtype')
def test_pooling(case):
    cases.check_pooling(case)


@without_regimes({
    **cases.POOLING, 'dtype': ['float32'], 'activations': ['others'],
    'gated': [False], 'B': [3], 'T': [1, 17], 'C': [1, 33],
    'lengths': ['some'], 'grads': ['h c', 'h c c_last']}, 'pooling')
def test_other_activations(case):
    cases.check_pooling(case)


@without_regimes(cases.WINDOWS, 'dtype', 'k', 'lookahead')
def test_windows(case):
    cases.check_windows(case)


@without_regimes(cases.LSTM, 'dtype', 'lengths')
def test_lstm(case):
    cases.check_lstm(case)


@without_regimes(loss_cases.ATTENTION, 'dtype', 'lengths')
def test_attention(case):
    loss_cases.check_attention(case)


@without_regimes(step_cases.STEP, 'pooling', 'dtype')
def test_step(case):
    step_cases.check_step(case)


@pytest.mark.parametrize('shape', [
    (1, 1, 1), (3, 17, 5), (2, 8, 33), (20, 105, 64), (0, 3, 2), (2, 0, 2)])
@pytest.mark.parametrize('ratio', [0., .1, 1.])
def test_zoneout_mask_of_the_gpu(shape, ratio):
    seed = 2 ** 63 + 12345
    numpy.testing.assert_array_equal(
        cpu.zoneout_mask(seed, ratio, shape),
        philox.zoneout_mask(seed, ratio, shape))


@without_regimes(loss_cases.DROPOUT, 'dtype', 'ratio')
def test_dropout(case):
    loss_cases.check_dropout(case)


@without_regimes(loss_cases.SOFTMAX, 'dtype', 'ignored')
def test_softmax(case):
    loss_cases.check_softmax(case)


@pytest.mark.parametrize('bad', [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_nan_and_inf_in_a_channel(bad, dtype):
    """NaN and inf do not affect other channels, and NaN is propagated."""
    u = numpy.zeros((1, 5, 60), dtype)
    c0 = numpy.zeros((1, 20), dtype)
    clean = cpu.pooling_forward(u, c0=c0)[0]
    for gate in range(3):
        u_bad = u.copy()
        u_bad[0, 2, 20 * gate + 7] = bad
        h, c, _ = cpu.pooling_forward(u_bad, c0=c0)
        if numpy.isnan(bad):
            assert numpy.isnan(h[0, 2, 7])
            gu = cpu.pooling_backward(
                u_bad, None, c0, None, 'fo', 0., 0, None, c,
                numpy.ones_like(h), None, None)[0]
            assert numpy.isnan(gu[0, 2, 7::20]).any()
        else:  # an infinite input saturates a gate
            assert numpy.isfinite(h).all()
        others = numpy.delete(h, 7, axis=2)
        numpy.testing.assert_array_equal(
            others, numpy.delete(clean, 7, axis=2))
    c0[0, 7] = bad
    h = cpu.pooling_forward(u, c0=c0)[0]
    assert not numpy.isfinite(h[0, :, 7]).any()
    all_nan = numpy.full_like(u, numpy.nan)
    assert numpy.isnan(cpu.strnn_forward(u, all_nan)).all()


def test_not_finite():
    loss_cases.check_not_finite()


def test_tanh_to_the_rounding_of_float32():
    x = numpy.linspace(-20, 20, 100001, dtype='f')
    u = numpy.zeros((1, 1, 2 * x.size), 'f')
    u[0, 0, :x.size] = -100  # f = 0, so the state is z
    u[0, 0, x.size:] = x
    z = cpu.pooling_forward(u, pooling='f')[0][0, 0]
    expected = numpy.tanh(x.astype('d'))
    numpy.testing.assert_allclose(z, expected, rtol=4e-7)
    assert abs(z).max() == 1


def test_numba_is_imported_when_it_is_needed():
    subprocess.run([
        sys.executable, '-c',
        'import sys, qrnn; assert "numba" not in sys.modules'], check=True)


def test_wrong_shapes():
    u = numpy.zeros((2, 3, 6), 'f')
    for options in ({'c0': u[:, 0]}, {'b': u[0, 0, 1:]},
                    {'mask': u[:, :, :1] > 0}):
        with pytest.raises(ValueError):
            cpu.pooling_forward(u, **options)
