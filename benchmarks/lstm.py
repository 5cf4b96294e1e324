"""The LSTM to be measured against."""
from chainer.backends import cuda
import numpy

from benchmarks import chainer_steps
import qrnn


def lstm(device, size, x):
    """Training and inference of an LSTM layer on a sequence.

    It is PyTorch's, which on a GPU is cuDNN's, in full float32 as ours and in
    the layout that suits it, time first; or, where PyTorch is not installed
    or sees no GPU, our own, which is several times as fast as Chainer's.

    Args:
        device (chainer.backend.Device): Where to run.
        size (int): Channels in and out.
        x (:ref:`ndarray`): Input, ``(B, T, size)``.

    Returns:
        tuple: Its name, and two functions without arguments.

    """
    torch = find_torch(device)
    return _ours(device, size, x) if torch is None else _torch(
        torch, device, size, x)


def find_torch(device):
    """PyTorch, if it is there and can run on the device, or None."""
    try:
        import torch
    except ImportError:
        return None
    if device.xp is not numpy and not torch.cuda.is_available():
        return None
    return torch


def _torch(torch, device, size, x):
    place, name = 'cpu', "PyTorch's LSTM"
    if device.xp is not numpy:
        place = 'cuda:{}'.format(device.device.id)
        name = "cuDNN's LSTM"
        torch.backends.cudnn.allow_tf32 = False
    link = torch.nn.LSTM(size, size).to(place)
    x = torch.from_numpy(cuda.to_cpu(x)).to(place).transpose(0, 1)
    x = x.contiguous().requires_grad_()

    def train():
        link.zero_grad(set_to_none=True)
        x.grad = None
        link(x)[0].sum().backward()

    def infer():
        with torch.no_grad():
            link(x)

    return name, train, infer


def _ours(device, size, x):
    link = qrnn.LSTMLayer(size, size)
    link.to_device(device)
    return ('LSTMLayer', lambda: chainer_steps.train(link, link, x),
            lambda: chainer_steps.infer(link, x))
