"""A toy training through the frame that all experiments have."""
import argparse
import contextlib
import errno
import json
import os
import signal
import subprocess
import types

import chainer
import chainer.links as L
from chainer import training as chainer_training
import numpy
import pytest

from experiments.common import best_model
from experiments.common import files
from experiments.common import plot
from experiments.common import snapshots
from experiments.common import training
from experiments.common.errors import Problem
from experiments.common.iterators import TrackingIterator
from experiments.common.signals import Interrupted


N_EPOCHS = 3  # of 4 iterations each; every second one takes a snapshot


def nothing(*_):
    pass


def _value(iteration):
    """Loss of an evaluation: the second epoch is the best."""
    return abs(iteration - 7)


@pytest.fixture
def run(tmp_path):
    """Runs the toy training, with functions that are called on its way."""
    def start(out=tmp_path, resume=None, update=nothing, evaluate=nothing,
              score=nothing, value=_value, draw=False):
        def train(args):
            return _train(args, update, evaluate, score, value, draw)

        args = argparse.Namespace(
            out=str(out), resume=resume, overwrite=False, seed=0, test=False,
            config='toy', snapshot_every=2, dtype='float32')
        outcome = []
        training.main('toy', args, lambda args: outcome.append(train(args)))
        return outcome[0]
    return start


def _train(args, update, evaluate, score, value, draw):
    device = chainer.get_device('@numpy')
    run = training.Run(args, {'experiment': 'toy'}, device)
    model = L.Classifier(L.Linear(3, 2))
    random = numpy.random.RandomState(0)
    examples = [(random.randn(3).astype('f'), numpy.int32(i % 2))
                for i in range(10)]
    updater = _Updater(
        TrackingIterator(examples, 3),
        chainer.optimizers.Adam().setup(model))
    updater.hook = update
    trainer = chainer_training.Trainer(
        updater, (N_EPOCHS, 'epoch'), args.out)

    @chainer_training.make_extension(
        trigger=(1, 'epoch'), priority=chainer_training.PRIORITY_WRITER)
    def evaluation(trainer):
        evaluate(updater.iteration)
        chainer.report({'validation/main/loss': value(updater.iteration)})

    trainer.extend(evaluation)
    best = best_model.BestModel(model)
    curve = plot.CurvePlot('curve.png', {'main/loss': 'loss'}, 'loss', None)
    training.extend(trainer, run, best, curve if draw else nothing,
                    ['epoch', 'main/loss'])
    run.train(trainer)
    best_model.load_parameters(args.out, model)
    score()
    return run.finish(trainer, {
        'best_epoch': best.epoch, 'iteration': updater.iteration,
        'parameters': [float(each) for each in model.predictor.W.array.flat]})


class _Updater(chainer_training.updaters.StandardUpdater):

    def update_core(self):
        super(_Updater, self).update_core()
        # The iteration is counted afterwards.
        self.hook(self.iteration + 1, self.get_optimizer('main').target)


def at(iteration, act):
    """A hook that acts once in an iteration."""
    left = [act]
    return lambda i, *_: i == iteration and left and left.pop()()


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize('before, after', [(True, False), (False, True)])
@pytest.mark.filterwarnings('error')
def test_from_a_terminal_into_a_file(run, monkeypatch, before, after):
    """And back: what shows the progress is another, and nothing warns."""
    def show_to(terminal):
        monkeypatch.setattr(
            training.communication.Alone, 'has_terminal', terminal)

    show_to(before)
    with pytest.raises(Interrupted):
        run(update=at(5, terminate))
    show_to(after)
    assert run(resume=True)['iteration'] == 10


def test_test_says_that_data_are_not_read(capsys):
    for data, is_warned in ('sample', False), ('folder', True):
        training.main('toy', argparse.Namespace(
            test=True, data=data, out=None, dtype='float32'), nothing)
        said = capsys.readouterr()
        assert said.out == 'Everything works.\n'
        assert ('does not read folder' in said.err) == is_warned


def snapshots_in(folder):
    return sorted(int(name.rpartition('_')[2]) for name in os.listdir(folder)
                  if name.startswith('snapshot_iter_'))


@pytest.fixture
def reference(run, tmp_path):
    return _facts(run(tmp_path / 'reference'))


def _facts(result):
    """What must be the same, however often a run was interrupted."""
    for entry in result['curve']:
        del entry['elapsed_time']
    return {key: result[key]
            for key in ('best_epoch', 'iteration', 'parameters', 'curve')}


def test_unfinished_result(run, tmp_path):
    """After every epoch it tells how far the run is, without a score."""
    found = []

    def look(iteration, _):
        path = tmp_path / 'result.json'
        if iteration in (2, 5, 8) and path.exists():
            found.append(json.loads(path.read_text()))

    result = run(update=look)
    assert [(each['epochs'], each['finished'], each['best_epoch'],
             len(each['curve'])) for each in found] == [
        (1, False, 1, 1), (2, False, 2, 2)]
    assert result['finished'] and 'iteration' not in found[-1]


def test_starts(run, tmp_path):
    """All of them are told, with the minutes of each."""
    for iteration in 5, 9:
        with pytest.raises(Interrupted):
            run(update=at(iteration, terminate), resume=True)
    result = run(resume=True)
    starts = result['starts']
    assert len(starts) == 3
    assert all(start['git'] == starts[0]['git'] for start in starts)
    assert all(start['blas'] and start['minutes'] > 0 for start in starts)
    minutes = sum(start['minutes'] for start in starts)
    assert minutes >= result['curve'][-1]['elapsed_time'] / 60
    assert 'starts' not in starts[0]


class TestSignals(object):

    @pytest.mark.parametrize('iteration', [1, 5, 7, 10])
    def test_in_an_iteration(self, run, tmp_path, reference, iteration):
        out = tmp_path / 'out'
        with pytest.raises(Interrupted) as info:
            run(out, update=at(iteration, terminate))
        assert snapshots_in(out)[-1] == iteration
        assert str(info.value) == (
            'interrupted by SIGTERM; the same command with --resume goes on '
            'from {}/snapshot_iter_{}'.format(out, iteration))
        assert _facts(run(out, resume=True)) == reference

    @pytest.mark.parametrize('iteration', [4, 7, 10])
    def test_in_an_evaluation(self, run, tmp_path, reference, iteration):
        """It is part of the iteration."""
        out = tmp_path / 'out'
        with pytest.raises(Interrupted):
            run(out, evaluate=at(iteration, terminate))
        assert snapshots_in(out)[-1] == iteration
        assert _facts(run(out, resume=True)) == reference

    def test_before_the_folder(self, run, tmp_path, monkeypatch):
        monkeypatch.setattr(
            training.random_state, 'seed_all', lambda *_: terminate())
        with pytest.raises(Interrupted, match='there is no snapshot yet'):
            run()

    def test_before_the_first_iteration(
            self, run, tmp_path, monkeypatch, reference):
        out = tmp_path / 'out'
        save = best_model.save_description
        monkeypatch.setattr(best_model.BestModel, 'initialize', lambda *_: (
            terminate()))
        with pytest.raises(Interrupted, match='snapshot_iter_1$'):
            run(out)
        monkeypatch.undo()
        assert save is best_model.save_description
        assert _facts(run(out, resume=True)) == reference

    def test_in_the_write_of_a_snapshot(
            self, run, tmp_path, monkeypatch, reference):
        """Too late for this one, which might be of the state before."""
        out, save = tmp_path / 'out', snapshots._save
        act = at(4, terminate)

        def slow(path, arrays):
            act(int(path.rpartition('_')[2]))
            save(path, arrays)
        monkeypatch.setattr(snapshots, '_save', slow)
        with pytest.raises(Interrupted):
            run(out)
        assert snapshots_in(out)[-1] == 4
        assert _facts(run(out, resume=True)) == reference

    def test_in_the_scoring(self, run, tmp_path, reference):
        out = tmp_path / 'out'
        with pytest.raises(Interrupted, match='snapshot_iter_10$'):
            run(out, score=terminate)
        updates = []
        assert _facts(run(out, resume=True, update=lambda *_: (
            updates.append(True)))) == reference
        assert not updates


class TestFullDisk(object):

    @pytest.fixture
    def full(self, monkeypatch):
        """Makes writing files of a name fail, halfway."""
        def fail(beginning, times=99):
            left = [None] * times
            replacing = files.replacing

            @contextlib.contextmanager
            def failing(path):
                with replacing(path) as f:
                    if os.path.basename(path).startswith(beginning) and left:
                        left.pop()
                        f.write(b'half')
                        raise OSError(errno.ENOSPC, os.strerror(
                            errno.ENOSPC))
                    yield f
            for module in snapshots, best_model, files, plot:
                monkeypatch.setattr(module, 'replacing', failing)
        return fail

    def test_snapshot(self, run, full, tmp_path, reference, capsys):
        out = tmp_path / 'out'
        full('snapshot_iter_1')  # the last one
        assert _facts(run(out)) == reference
        assert snapshots_in(out) == [7, 8]
        assert capsys.readouterr().err == (
            'warning: cannot write the snapshot {0}/snapshot_iter_10: No '
            'space left on device; training goes on, the same command with '
            '--resume goes on from {0}/snapshot_iter_8\n'.format(out))

    def test_first_snapshot_and_an_interruption(self, run, full, capsys):
        full('snapshot')
        with pytest.raises(Interrupted, match='there is no snapshot yet'):
            run(update=at(2, terminate))
        assert 'training goes on' in capsys.readouterr().err

    @pytest.mark.parametrize('name', ['log', 'curve.png'])
    def test_log_and_picture(
            self, run, full, tmp_path, reference, capsys, name):
        draw = name != 'log'
        if draw:
            pytest.importorskip('matplotlib')
        full(name, times=1)
        assert _facts(run(tmp_path / 'out', draw=draw)) == reference
        assert (tmp_path / 'out' / name).exists()
        log = json.loads((tmp_path / 'out' / 'log').read_text())
        assert [entry['epoch'] for entry in log] == [1, 2, 3]
        err = capsys.readouterr().err
        assert err.count('\n') == 1
        assert name + ': No space left on device; training goes on' in err

    def test_log_of_the_last_epoch(self, run, full, tmp_path, monkeypatch):
        full('log')
        run()
        assert not (tmp_path / 'log').exists()
        monkeypatch.undo()
        run(resume=True)
        assert len(json.loads((tmp_path / 'log').read_text())) == N_EPOCHS

    def test_best_model(self, run, full, tmp_path, reference, monkeypatch):
        """Training stops, and the snapshot has what could not be written."""
        out = tmp_path / 'out'
        with pytest.raises(Problem) as info:
            run(out, evaluate=at(7, lambda: full('model.npz')))
        assert str(info.value) == (
            'cannot write the best model so far: No space left on device; '
            'the same command with --resume goes on from {}/snapshot_iter_7'
            .format(out))
        monkeypatch.undo()
        assert _facts(run(out, resume=True)) == reference

    def test_result(self, run, full, tmp_path, reference, monkeypatch):
        """While it trains this is a warning, for the score an error."""
        out = tmp_path / 'out'
        full('result.json')
        with pytest.raises(Problem, match='cannot write the result: No space'):
            run(out)
        monkeypatch.undo()
        assert _facts(run(out, resume=True)) == reference

    def test_output(
            self, run, tmp_path, reference, monkeypatch, full_stream):
        """Of a run whose output goes to a file on the same disk."""
        monkeypatch.setattr(training.sys, 'stdout', full_stream)
        with pytest.raises(OSError):
            print('it is full', flush=True)
        monkeypatch.setattr(training, 'print', nothing, raising=False)
        assert _facts(run(tmp_path / 'out')) == reference

    def test_real(self, run, tmp_path, reference, capsys):
        """A file system that is filled in the middle of the training."""
        disk = tmp_path / 'disk'
        disk.mkdir()
        mount = ['mount', '-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', disk]
        if os.getuid() or subprocess.call(mount, stderr=subprocess.DEVNULL):
            pytest.skip('cannot mount a file system')
        out = disk / 'out'
        try:
            def fill():
                with contextlib.suppress(OSError):
                    with open(disk / 'filler', 'wb', 0) as f:
                        while True:
                            f.write(bytes(100))

            def make_room():
                os.remove(disk / 'filler')

            result = run(
                out, update=at(5, fill), evaluate=at(10, make_room),
                value=lambda iteration: iteration)  # epoch 1 is the best
            assert result['iteration'] == 10
            assert snapshots_in(out) == [4, 10]
            assert {'log', 'model.npz', 'result.json'} < set(os.listdir(out))
            err = capsys.readouterr().err
            for name in 'snapshot_iter_6', 'snapshot_iter_7', 'log':
                assert '{}: No space left on device'.format(name) in err
        finally:
            subprocess.check_call(['umount', disk])


class TestAgreement(object):
    """model.npz and snapshots, of which a kill leaves one."""

    def stop(self, *_):
        raise Interrupted(signal.SIGTERM)

    @pytest.mark.parametrize('iteration', [4, 7, 10])
    def test_killed_before_the_best_model(
            self, run, tmp_path, reference, monkeypatch, iteration):
        out, save = tmp_path / 'out', best_model.BestModel.save
        stop = at(iteration, self.stop)

        def killed(best, trainer):
            stop(trainer.updater.iteration)
            save(best, trainer)
        monkeypatch.setattr(best_model.BestModel, 'save', killed)
        with pytest.raises(Interrupted):
            run(out)
        monkeypatch.undo()
        assert _facts(run(out, resume=True)) == reference

    def test_snapshot_is_older(self, run, tmp_path, capsys):
        """Its best model is gone, but the later one is found again."""
        out, value = tmp_path / 'out', lambda iteration: 1 / iteration
        result = run(out, value=value)
        os.remove(out / 'snapshot_iter_10')
        again = run(out, resume=True, value=value)
        assert _facts(again) == _facts(result)
        err = capsys.readouterr().err
        assert 'model.npz is not the best model' in err and 'epoch 2' in err

    def test_best_model_of_an_earlier_epoch(self, run, tmp_path, capsys):
        out = tmp_path / 'out'
        result = run(out, value=lambda iteration: iteration)
        assert result['best_epoch'] == 1
        os.remove(out / 'snapshot_iter_10')
        again = run(out, resume=True, value=lambda iteration: iteration)
        assert _facts(again) == _facts(result)
        assert not capsys.readouterr().err

    def test_gone(self, run, tmp_path):
        run(value=lambda iteration: iteration)
        os.remove(tmp_path / 'model.npz')
        with pytest.raises(Problem, match='is not beside the snapshot'):
            run(resume=True, value=lambda iteration: iteration)


class TestDivergence(object):

    @pytest.mark.parametrize('value', [numpy.nan, numpy.inf])
    def test_parameters(self, run, tmp_path, value):
        def update(iteration, model):
            if iteration == 5:
                model.predictor.b.array[1] = value
        with pytest.raises(Problem) as info:
            run(update=update)
        text = str(info.value)
        assert text.startswith(
            '/predictor/b became infinite or NaN in iteration 5 (epoch 2), '
            'after the batch of training examples ')
        assert text.endswith(
            'goes on from {}/snapshot_iter_4, and a smaller learning rate '
            'may help'.format(tmp_path))

    def test_loss_and_its_batch(self, run, tmp_path):
        seen = []

        def update(iteration, model):
            if iteration == 5:
                chainer.report({'main/loss': numpy.float32('nan')})
        iterate = TrackingIterator.__next__

        def remember(self):
            batch = iterate(self)
            seen.append([next(i for i, each in enumerate(self.dataset)
                              if each[0] is example) for example, _ in batch])
            return batch
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrackingIterator, 'next', remember)
            with pytest.raises(Problem, match='the loss became nan') as info:
                run(update=update)
        assert 'training examples {}, counted from 0'.format(
            ', '.join(map(str, seen[4]))) in str(info.value)

    def test_evaluation(self, run):
        with pytest.raises(Problem, match="the evaluation's loss became inf"):
            run(value=lambda iteration: numpy.inf)

    def test_perplexity_beyond_all_numbers(self):
        entry = {'main/loss': 1e6, 'validation/main/loss': 0.}
        training.add_perplexities(entry)
        assert entry == {'main/loss': 1e6, 'validation/main/loss': 0.,
                         'validation/perplexity': 1.}


def test_heartbeat(capsys):
    heartbeat = training._Heartbeat()
    trainer = types.SimpleNamespace(
        updater=types.SimpleNamespace(iteration=0, epoch_detail=0.))
    heartbeat.initialize(trainer)
    heartbeat._PERIOD = 0
    trainer.updater.iteration = 1
    heartbeat(trainer)
    assert 'epoch 0.00, iteration 1, ' in capsys.readouterr().err
