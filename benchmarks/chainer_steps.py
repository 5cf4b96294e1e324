"""Training and inference of a link of Chainer."""
import chainer
import chainer.functions as F


def train(link, call, x):
    """Forward and backward pass, to the input and all parameters."""
    link.cleargrads()
    F.sum(call(chainer.Variable(x))).backward()


def infer(call, x):
    """Forward pass alone."""
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        call(x)
