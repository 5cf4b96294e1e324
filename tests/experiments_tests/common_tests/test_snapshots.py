import json
import os
import types

import numpy
import pytest

from experiments.common import snapshots
from experiments.common.errors import Problem


@pytest.fixture
def take(tmp_path):
    """Takes a snapshot in an iteration, with a time of its own."""
    def snapshot(iteration, time=None):
        trainer = types.SimpleNamespace(
            out=str(tmp_path),
            updater=types.SimpleNamespace(iteration=iteration),
            serialize=lambda serializer: serializer('value', iteration))
        snapshots.Snapshot()(trainer)
        if time is not None:
            path = tmp_path / 'snapshot_iter_{}'.format(iteration)
            os.utime(str(path), (time, time))
    return snapshot


def test_two_are_kept(take, tmp_path):
    for iteration in 8, 9, 10, 11:
        take(iteration)
    assert sorted(os.listdir(tmp_path)) == [
        'snapshot_iter_10', 'snapshot_iter_11']
    with numpy.load(tmp_path / 'snapshot_iter_11') as arrays:
        assert arrays['value'] == 11


def test_the_iteration_says_which_is_newest(take, tmp_path):
    """Also where a clock was set back, or a copy came in another order."""
    for iteration, time in (9, 3e8), (10, 2e8), (11, 1e8):
        take(iteration, time)
    assert snapshots._found(str(tmp_path)) == [
        str(tmp_path / 'snapshot_iter_11'), str(tmp_path / 'snapshot_iter_10')]
    assert snapshots.outlook(str(tmp_path)).endswith('snapshot_iter_11')


def test_abandoned_ones_go_once_there_is_a_new_one(take, tmp_path):
    """After a run was resumed from an earlier snapshot."""
    for iteration in 10, 20:
        take(iteration)
    take(15)
    assert sorted(os.listdir(tmp_path)) == [
        'snapshot_iter_10', 'snapshot_iter_15']


def test_other_names_are_left_alone(take, tmp_path):
    names = {'snapshot_iter_1.bak', 'snapshot_iter_', 'snapshot_iter_2 (1)'}
    for name in names:
        (tmp_path / name).write_text('mine')
    for iteration in 8, 9, 10:
        take(iteration)
    assert len(snapshots._found(str(tmp_path))) == 2
    assert names < set(os.listdir(tmp_path))


def test_folder_with_a_pattern_in_its_name(tmp_path):
    folder = tmp_path / '[a]*'
    folder.mkdir()
    (folder / 'snapshot_iter_1').write_text('')
    (folder / 'model.npz.tmp123').write_text('')
    assert len(snapshots._found(str(folder))) == 1
    snapshots.prepare_folder(str(folder), True, False)
    assert os.listdir(folder) == ['snapshot_iter_1']


def test_failed_write_keeps_all(take, tmp_path, monkeypatch, capsys):
    take(1)
    take(2)

    def savez(f, **arrays):
        f.write(b'half')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(numpy, 'savez', savez)
    take(3)
    assert sorted(os.listdir(tmp_path)) == [
        'snapshot_iter_1', 'snapshot_iter_2']
    assert 'training goes on' in capsys.readouterr().err


class TestIdentity(object):

    def check(self, facts):
        snapshots._check_identity(
            'a snapshot', {'extensions/identity/facts': json.dumps({
                'experiment': 'toy', 'seed': 0,
                'data': {'source': 'here', 'fingerprint': 'abc'}})}, facts)

    def test_data_that_were_moved(self):
        self.check({'data': {'source': 'there', 'fingerprint': 'abc'}})

    @pytest.mark.parametrize(('facts', 'difference'), [
        ({'seed': 1}, 'its seed is 0, not 1'),
        ({'data': {'source': 'here', 'fingerprint': 'abd'}},
         'its fingerprint is abc, not abd'),
    ])
    def test_another_run(self, facts, difference):
        with pytest.raises(Problem, match=difference):
            self.check(facts)
