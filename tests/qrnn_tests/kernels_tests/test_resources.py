"""Every kernel compiled for real devices, which needs NVRTC but no GPU."""
import os

import pytest

from qrnn.kernels import launch
from qrnn.kernels import resources


pytestmark = pytest.mark.skipif(
    resources.find_nvrtc() is None,
    reason='needs NVRTC (pip install nvidia-cuda-nvrtc-cu12)')

#: Every kernel for every architecture, instead of one architecture each.
FULL = bool(os.environ.get('QRNN_FULL_MATRIX'))


def _compiled():
    modules = sorted(launch.modules(), key=str)
    for i, module in enumerate(modules):
        for j, architecture in enumerate(resources.ARCHITECTURES):
            if FULL or j == (i % 3) + 1 or module == ('strnn', 32, None):
                yield module, architecture


@pytest.mark.parametrize(
    'module, architecture', list(_compiled()), ids=str)
def test_compiles(module, architecture):
    nvrtc = resources.find_nvrtc()
    if architecture not in nvrtc.architectures:
        pytest.skip('NVRTC {}.{} does not know {}'.format(
            *nvrtc.version, architecture))
    used = nvrtc.resources(module, architecture)
    operations = ['strnn'] if module[0] == 'strnn' else ['pooling']
    assert set(used) == {'scan_carries', 'sum_rows'} | {
        '{}_{}_{}'.format(family, direction, kind)
        for family in operations for direction in ('forward', 'backward')
        for kind in ('channels', 'warps', 'reduce')}
    if module[1] == 32:
        assert {k: spilled for k, (_, spilled) in used.items() if spilled
                } == {}


@pytest.mark.parametrize('module', [
    ('strnn', 32, None), ('pooling', 16, 'fo')], ids=str)
def test_compiles_through_cupy(module, monkeypatch):
    pytest.importorskip('cupy')
    compiler = pytest.importorskip('cupy.cuda.compiler')
    name = '_get_arch_for_options_for_nvrtc'
    if not hasattr(compiler, name):
        pytest.skip('this CuPy asks for the architecture in another way')
    # All of CuPy's way but its question to a device that is not there.
    monkeypatch.setattr(
        compiler, name, lambda arch=None: ('-arch=sm_80', 'cubin'))
    family, bits, pooling = module
    binary = compiler.compile_using_nvrtc(
        launch.source(family), launch.options(bits, pooling), '80',
        'kernels.cu')[0]
    assert b'_forward_warps' in binary
