import random

import chainer
import numpy
import pytest

from experiments.common import random_state


CPU = chainer.get_device('@numpy')
ORDER = numpy.random.RandomState(0)


def draw():
    return [random.random(), random.gauss(0, 1), numpy.random.rand(),
            numpy.random.randn()]


# The second normal variate of a pair is kept by the generators.
@pytest.mark.parametrize('n_before', [0, 1, 2])
def test_goes_on(tmp_path, n_before):
    path = str(tmp_path / 'state.npz')
    random_state.seed_all(0, CPU)
    for _ in range(n_before):
        draw()
    chainer.serializers.save_npz(path, random_state.RandomState(CPU, ORDER))
    expected = [draw() for _ in range(3)]

    random_state.seed_all(1, CPU)
    assert draw() != expected[0]
    with numpy.load(path, allow_pickle=False) as arrays:
        chainer.serializers.NpzDeserializer(arrays).load(
            random_state.RandomState(CPU, ORDER))
    assert [draw() for _ in range(3)] == expected


@pytest.mark.gpu
def test_gpu(tmp_path):
    path = str(tmp_path / 'state.npz')
    gpu = chainer.get_device('@cupy:0')
    draws = []
    random_state.seed_all(0, gpu)
    chainer.serializers.save_npz(path, random_state.RandomState(gpu, ORDER))
    for _ in range(2):
        chainer.serializers.load_npz(
            path, random_state.RandomState(gpu, ORDER))
        draws.append(gpu.xp.random.rand(3).get().tolist())
    assert draws[0] == draws[1]
