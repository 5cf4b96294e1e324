import chainer
import pytest

from benchmarks import drop_in


@pytest.mark.parametrize('task, n_iterations, loss', [
    (drop_in.Classifier, 60, .1),
    (drop_in.Tagger, 60, .5),
    (drop_in.EncoderDecoder, 60, 1.),
    (drop_in.LanguageModel, 60, 5.2),
])
def test_qrnn_learns(task, n_iterations, loss):
    device = chainer.get_device('@numpy')
    assert drop_in.final_loss(task, task.qrnn, device, n_iterations) < loss


@pytest.mark.parametrize('task', drop_in.TASKS)
def test_runs_with_lstm(task):
    training = drop_in.Training(
        task, task.lstm, chainer.get_device('@numpy'), size=4, batch_size=2)
    first = training.iterate()
    assert all(training.iterate() != first for _ in range(3))


def test_data():
    """The labels of the classifier and the tagger match the inputs."""
    xs, ts = next(drop_in.Classifier.batches(50))
    for x, t in zip(xs, ts):
        assert [symbol for symbol in x if symbol < 2][-1] == t
    xs, ts = next(drop_in.Tagger.batches(50))
    for x, t in zip(xs, ts):
        zeros = [i for i in range(len(x)) if x[i] == 0]
        for i, tag in enumerate(t):
            ago = min([i - j for j in zeros if j <= i], default=3)
            ahead = min([j - i for j in zeros if j >= i], default=3)
            assert divmod(tag, 4) == (min(ago, 3), min(ahead, 3))
    xs, ts = next(drop_in.EncoderDecoder.batches(50))
    for x, t in zip(xs, ts):
        assert t.tolist() == x.tolist()[::-1] + [0] and all(x)
