"""What training and inference are, for a link of Chainer, and the least."""
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


def matrix_products(n_rows, maps, xp):
    """Function that does the products of training linear maps, and no more.

    Of every map y = x W: y, the gradient of x and that of W, on bare arrays.
    They are written into arrays at hand: no allocation is counted.

    Args:
        n_rows (int): Rows of x.
        maps (list of tuple): Sizes of every map's input and output.
        xp (module): NumPy or CuPy.

    """
    operands = []
    for n_in, n_out in maps:
        x, W, y = (xp.random.rand(*shape).astype('f') for shape in (
            (n_rows, n_in), (n_in, n_out), (n_rows, n_out)))
        operands.append((x, W, y, xp.empty_like(x), xp.empty_like(W),
                         xp.empty_like(y)))

    def products():
        for x, W, gy, gx, gW, y in operands:
            xp.matmul(x, W, out=y)
            xp.matmul(gy, W.T, out=gx)
            xp.matmul(x.T, gy, out=gW)

    return products
