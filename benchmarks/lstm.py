"""The LSTM to be measured against, PyTorch's."""
from chainer.backends import cuda
import numpy

from experiments.common.result import blas


def find_torch(device):
    """Return PyTorch, or None where it is missing or has no such device.

    It gets as many threads as NumPy's matrix products have.
    """
    try:
        import torch
    except ImportError:
        return None
    if device.xp is not numpy:
        return torch if torch.cuda.is_available() else None
    for library in blas()[:1]:
        torch.set_num_threads(library['num_threads'])
    return torch


class TorchLSTM:
    """PyTorch's LSTM, on a GPU cuDNN's, with the weights of an LSTMLayer.

    In full float32 as ours, and in the layout that suits it, time first.

    Args:
        torch (module): PyTorch.
        layer (~qrnn.LSTMLayer): The layer, on its device.
        x (:ref:`ndarray`): Input, ``(B, T, n)``.

    """

    def __init__(self, torch, layer, x):
        place = 'cpu'
        if layer.xp is not numpy:
            place = f'cuda:{layer.device.device.id}'
            torch.backends.cudnn.allow_tf32 = False
        self._torch = torch
        m, n = layer.lateral.W.shape[1], x.shape[2]
        self._link = torch.nn.LSTM(n, m)
        parameters = layer.upward.W, layer.lateral.W, layer.upward.b
        for target, source in zip(self._link.parameters(), parameters):
            i, f, o, z = numpy.split(cuda.to_cpu(source.array), 4)
            target.data.copy_(
                torch.from_numpy(numpy.concatenate((i, f, z, o))))
        self._link.bias_hh_l0.data.zero_()
        self._link.to(place)
        x = torch.from_numpy(cuda.to_cpu(x)).to(place).transpose(0, 1)
        self._x = x.contiguous().requires_grad_()

    def train(self):
        """Do a forward and backward pass, to the input and all parameters."""
        self._link.train()
        self._link.zero_grad(set_to_none=True)
        self._x.grad = None
        self._link(self._x)[0].sum().backward()

    def infer(self):
        """Return the outputs, ``(T, B, m)``."""
        self._link.eval()
        with self._torch.no_grad():
            return self._link(self._x)[0]
