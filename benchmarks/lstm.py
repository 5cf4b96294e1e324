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


class TorchLSTMSteps:
    """Single steps of ``torch.nn.LSTM`` and ``torch.nn.LSTMCell``.

    They have the weights of an LSTMLayer and carry their state.

    Args:
        torch (module): PyTorch.
        layer (~qrnn.LSTMLayer): Layer with the weights, on its device.
        x (:ref:`ndarray`): Input of every step, ``(B, n)``.

    """

    def __init__(self, torch, layer, x):
        whole = TorchLSTM(torch, layer, x[:, None])
        self._torch, self._link = torch, whole._link.eval()
        self._x = whole._x.detach()
        self._cell = torch.nn.LSTMCell(
            self._link.input_size, self._link.hidden_size).to(self._x.device)
        for target, source in zip(
                self._cell.parameters(), self._link.parameters()):
            target.data.copy_(source.data)
        self.reset_state()

    def reset_state(self):
        self._layer_state = self._cell_state = None

    def layer(self):
        """Return the output of the next step, ``(B, m)``, by the layer."""
        with self._torch.no_grad():
            y, self._layer_state = self._link(self._x, self._layer_state)
        return y[0]

    def cell(self):
        """Return the output of the next step, ``(B, m)``, by the cell."""
        with self._torch.no_grad():
            self._cell_state = self._cell(self._x[0], self._cell_state)
        return self._cell_state[0]
