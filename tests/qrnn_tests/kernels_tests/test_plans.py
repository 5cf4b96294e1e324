import itertools

import numpy
import pytest

from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import plans


@pytest.mark.parametrize('B, C, T, regime', [
    (128, 512, 512, 'sequential'),     # a large batch
    (20, 640, 105, 'block_scan'),      # the paper's language model
    (16, 320, 300, 'block_scan'),      # the translation model
    (24, 256, 231, 'block_scan'),      # the sentiment model
    (8, 320, 32, 'block_scan'),        # smallest shape of Figure 4
    (256, 320, 512, 'sequential'),     # largest shape of Figure 4
    (1, 512, 131072, 'chunked_scan'),  # one very long sequence
    (16, 320, 1, 'sequential'),        # one step of a decoder
])
def test_regimes(B, C, T, regime):
    assert plans.choose_regime(B * C, T) == regime


@pytest.mark.parametrize('name', ['pooling_forward', 'pooling_backward'])
@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
@pytest.mark.parametrize('regime', plans.REGIMES)
def test_launches_cover_channels_and_time(name, dtype, regime):
    for channels, T in itertools.product(
            [1, 31, 32, 33, 2048, 10 ** 6], [0, 1, 7, 8, 9, 5000, 10 ** 7]):
        scan = plans.Scan(name, numpy.dtype(dtype), channels, T, regime)
        launches = scan.launches((), None, lambda shape, dtype: shape)
        assert scan.chunks <= 65535
        assert (scan.chunks - 1) * scan.chunk < max(T, 1) <= (
            scan.chunks * scan.chunk)
        assert scan.chunk % scan.slice == 0 == scan.slice % 4
        for launch_ in launches:
            x, y, _ = launch_.block
            assert launch_.grid[0] * x >= channels
            assert (launch_.grid[0] - 1) * x < channels
            assert x * y <= 512 and launch_.shared <= 48 * 1024
            if launch_.kernel.endswith('reduce'):
                # All warps process the same number of slices of a chunk.
                assert scan.chunk % (y * scan.slice) == 0


def test_no_launches_without_channels():
    scan = plans.Scan('strnn_forward', numpy.dtype('f'), 0, 5)
    assert scan.launches((), None, None) == []


def test_too_many_steps():
    with pytest.raises(ValueError):
        plans.Scan('strnn_forward', numpy.dtype('f'), 1, 2 ** 30)


@pytest.mark.parametrize('dtype', ['int32', 'bool', 'complex64', 'longdouble'])
def test_unsupported_dtypes(dtype):
    with pytest.raises(TypeError):
        plans.bits_of(dtype)


def test_modules():
    assert len(set(launch.modules())) == 26
    for module in launch.modules():
        assert '#line 1 "numbers.cu"' in launch.source(module.family)
        assert f'-DQRNN_BITS={module.bits}' in launch.options(module)


def test_activations_of_a_module():
    module = launch.pooling_module('f', 'if', {'z': 'identity', 'o': 'tanh'})
    # Activations of missing gates do not change the module.
    assert module == launch.pooling_module('f', 'if', {'z': 'identity'})
    assert {'-DQRNN_HAS_O=0', '-DQRNN_HAS_I=1', '-DQRNN_Z=2', '-DQRNN_I=1'
            } < set(launch.options(module))
    with pytest.raises(ValueError):
        launch.pooling_module('f', 'fo', {'f': 'tanh'})


def test_expectation_has_a_separate_module():
    module = launch.pooling_module('f', 'fo')
    assert '-DQRNN_EXPECTATION=0' in launch.options(module)
    assert '-DQRNN_EXPECTATION=1' in launch.options(
        launch.pooling_module('f', 'fo', expectation=True))
