"""Compile every kernel with NVRTC, which does not need a GPU."""
import json
import os
import sys

import pytest

from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import resources


pytestmark = pytest.mark.skipif(
    resources.find_nvrtc() is None,
    reason='needs NVRTC (pip install nvidia-cuda-nvrtc)')

#: If True, compile every kernel for every architecture.
FULL = bool(os.environ.get('QRNN_FULL_MATRIX'))


def _compiled():
    # Compiling a module takes up to three seconds, so each module is compiled
    # for only one of three common architectures. The architecture depends on
    # the Python version, so CI covers all three. In float16 and float64, ifo
    # is the only pooling that is compiled, because it has all gates.
    usual = resources.ARCHITECTURES[1:4]
    for i, module in enumerate(sorted(launch.modules(), key=str)):
        turn = usual[(i + sys.version_info.minor) % 3]
        for architecture in resources.ARCHITECTURES:
            if FULL or architecture == turn and (
                    module.bits == 32 or module.pooling in (None, 'ifo')):
                yield module, architecture


@pytest.mark.parametrize(
    'module, architecture', list(_compiled()), ids=str)
def test_compiles(module, architecture):
    nvrtc = resources.find_nvrtc()
    if architecture not in nvrtc.architectures:
        pytest.skip(f'this NVRTC does not know {architecture}')
    used = nvrtc.resources(module, architecture)
    directions = [module.family + end for end in ('_forward', '_backward')]
    assert set(used) == {
        'windows': {'unfold', 'fold', 'last_steps', 'step_window'},
        'lstm': set(directions),
        'dropout': {'dropout'},
        'softmax': {'softmax_cross_entropy', 'mean_loss', 'attention_weights',
                    'attention_weights_backward'}}.get(
            module.family, {'scan_carries', 'sum_rows'} | {
                f'{name}_{kind}' for name in directions
                for kind in ('sequential', 'block_scan', 'reduce')})
    if module.bits == 32:
        assert {k: spilled for k, (_, spilled) in used.items() if spilled
                } == {}


def test_prints_json(capsys, monkeypatch):
    monkeypatch.setattr(
        launch, 'modules', lambda: [launch.Module('strnn', 32)])
    resources.main(['--json', 'sm_90', 'sm_1'])
    printed = json.loads(capsys.readouterr().out)
    assert printed['architectures'] == ['sm_90']
    rows = {row['kernel']: row for row in printed['kernels']}
    assert rows['strnn_forward_reduce']['bytes'] == 8
    assert rows['strnn_forward_block_scan']['bytes'] == 12
    assert {row.get('least') for row in rows.values()} == {None, 12, 20}
    assert all(row['sm_90']['registers'] > 0 for row in rows.values())


@pytest.mark.parametrize('module', [
    launch.Module('strnn', 32), launch.pooling_module('e', 'fo')], ids=str)
def test_compiles_through_cupy(module, monkeypatch):
    pytest.importorskip('cupy')
    compiler = pytest.importorskip('cupy.cuda.compiler')
    name = '_get_arch_for_options_for_nvrtc'
    if not hasattr(compiler, name):
        pytest.skip('this CuPy asks for the architecture in another way')
    # CuPy's compiler queries the device in this function only. Without the
    # query, the compiler needs no device.
    monkeypatch.setattr(
        compiler, name, lambda arch=None: ('-arch=sm_80', 'cubin'))
    binary = compiler.compile_using_nvrtc(
        launch.source(module.family), launch.options(module), '80',
        'kernels.cu')[0]
    assert b'_forward_block_scan' in binary
