"""PyTorch's LSTM, for comparisons."""
from chainer.backends import cuda
import numpy

from experiments.common.result import blas


def find_torch(device):
    """Return the module torch, or None if it cannot be used on the device.

    On a CPU, PyTorch is set to use as many threads as NumPy's BLAS.
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

    The LSTM computes in full float32, without TF32. Its arrays have PyTorch's
    default layout, ``(T, B, n)``. On a GPU, the LSTM uses cuDNN.

    Args:
        torch (module): PyTorch.
        layer (~qrnn.LSTMLayer): Layer whose weights and device are used.
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

    Both use the weights of an LSTMLayer. Each keeps its state between steps.

    Args:
        torch (module): PyTorch.
        layer (~qrnn.LSTMLayer): Layer whose weights and device are used.
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
        """Run a step of the LSTM, and return its output, ``(B, m)``."""
        with self._torch.no_grad():
            y, self._layer_state = self._link(self._x, self._layer_state)
        return y[0]

    def cell(self):
        """Run a step of the LSTMCell, and return its output, ``(B, m)``."""
        with self._torch.no_grad():
            self._cell_state = self._cell(self._x[0], self._cell_state)
        return self._cell_state[0]
