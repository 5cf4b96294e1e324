"""RMSprop for embeddings, where each batch uses only a few rows."""
from chainer.optimizers.rmsprop import RMSpropRule
import numpy


class RowwiseRMSpropRule(RMSpropRule):
    """RMSprop that updates only the rows with a gradient.

    If the gradient of a row is 0, RMSprop does not change the row, but
    multiplies its mean square by :math:`\\alpha`. On a CPU, this rule
    postpones the multiplications until the row has a gradient again. After n
    steps, it then multiplies by :math:`\\alpha^n`. The result is the same as
    with Chainer's rule, but the cost depends on the words of a batch instead
    of the vocabulary. On a GPU, Chainer's rule is fast enough and is used.
    """

    is_elementwise = False

    def init_state(self, param):
        super().init_state(param)
        # For each row, the last step that updated its mean square
        self.state['last'] = param.xp.zeros(len(param.array), 'i')

    def update_core_cpu(self, param):
        grad, ms, last = param.grad, self.state['ms'], self.state['last']
        if grad is None:
            last += 1  # Chainer's rule does nothing in this step
            return
        hp = self.hyperparam
        rows = numpy.flatnonzero(grad.any(axis=1))
        g = grad[rows]
        v = hp.alpha ** (self.t - last[rows])[:, None]
        v = v.astype(ms.dtype) * ms[rows]
        v += (1 - hp.alpha) * g * g
        ms[rows] = v
        last[rows] = self.t
        param.array[rows] -= hp.lr * g / (
            numpy.sqrt(v + hp.eps) if hp.eps_inside_sqrt
            else numpy.sqrt(v) + hp.eps)

    def update_core_gpu(self, param):
        super().update_core_gpu(param)
        self.state['last'].fill(self.t)
