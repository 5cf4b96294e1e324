"""Counting instructions, on a disassembly small enough to count by hand."""
import pytest

from qrnn.kernels.cuda import instructions
from qrnn.kernels.cuda import launch
from qrnn.kernels.cuda import resources


# A loop of one step that loads two values and stores one. On the way that is
# counted @P0 goes on and @P1 skips two instructions.
TEXT = '''
.text.strnn_forward_sequential:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_0:
        /*0010*/                   LDG.E.CONSTANT R2, desc[UR4][R6.64] ;
        /*0020*/               @P0 BRA `(.L_x_1) ;
        /*0030*/                   LDG.E.CONSTANT R3, desc[UR4][R8.64] ;
        /*0040*/               @P1 BRA `(.L_x_1) ;
        /*0050*/                   IADD3 R4, R4, 0x1, RZ ;
        /*0060*/                   IADD3 R4, R4, 0x1, RZ ;
.L_x_1:
        /*0070*/                   STG.E desc[UR4][R10.64], R2 ;
        /*0080*/              @!P2 BRA `(.L_x_0) ;
        /*0090*/                   EXIT ;
'''


def test_counts_the_way_with_all_loads():
    (code, targets), = instructions.functions(TEXT).values()
    assert len(code) == 10 and targets == {2: 7, 4: 7, 8: 1}
    assert instructions.per_step(
        launch.Module('strnn', 32), 'strnn_forward', 'sequential', code,
        targets) == 6


@pytest.mark.skipif(
    None in (resources.find_nvrtc(), instructions.find_nvdisasm()),
    reason='needs NVRTC and nvdisasm')
def test_float32_recurrence(capsys, monkeypatch):
    monkeypatch.setattr(
        launch, 'modules', lambda: [launch.Module('strnn', 32)])
    instructions.main([])
    *_, forward, backward = capsys.readouterr().out.splitlines()
    assert 5 < int(forward.split()[-3]) < int(backward.split()[-3]) < 40
