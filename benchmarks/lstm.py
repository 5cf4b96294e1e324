"""PyTorch's LSTM, for comparisons."""
from chainer.backends import cuda
import numpy

from experiments.common.result import blas


def find_torch(device):
    """Return PyTorch, or None if it is not installed or lacks the device.

    PyTorch gets the same number of threads as NumPy's matrix products.
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
    """``torch.nn.LSTM`` with the weights of an LSTMLayer.

    It runs in full float32 and in its preferred layout, time first. On a GPU
    it uses cuDNN.

    Args:
        torch (module): PyTorch.
        layer (~qrnn.LSTMLayer): Layer with the weights, on its device.
        x (:ref:`ndarray`): Input, ``(B, T, n)``.

    """

    def __init__(self, torch, layer, x):
        device = 'cpu'
        if layer.xp is not numpy:
            device = f'cuda:{layer.device.device.id}'
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
        self._link.to(device)
        x = torch.from_numpy(cuda.to_cpu(x)).to(device).transpose(0, 1)
        self._x = x.contiguous().requires_grad_()

    def train(self):
        """Compute outputs and the gradients of the input and all parameters.
        """
        self._link.train()
        self._link.zero_grad(set_to_none=True)
        self._x.grad = None
        self._link(self._x)[0].sum().backward()

    def infer(self):
        """Return the outputs, ``(T, B, m)``."""
        self._link.eval()
        with self._torch.no_grad():
            return self._link(self._x)[0]
