"""RMSprop for an embedding, of which a batch touches few rows."""
from chainer.optimizers.rmsprop import RMSpropRule
import numpy


class RowwiseRMSpropRule(RMSpropRule):
    """RMSprop that updates only the rows with a gradient.

    Where a row's gradient is 0, RMSprop leaves the row as it is and
    multiplies the mean square by :math:`\\alpha`. Here, on the CPU, rows wait
    until they have a gradient again, and then get :math:`\\alpha` to the
    power of the steps since. The outcome is that of Chainer's rule, at a cost
    that goes with the words of a batch instead of the vocabulary. On a GPU
    Chainer's own kernel is fast enough.
    """

    is_elementwise = False

    def init_state(self, param):
        super().init_state(param)
        # Step that each row's mean square belongs to
        self.state['last'] = param.xp.zeros(len(param.array), 'i')

    def update_core_cpu(self, param):
        grad, ms, last = param.grad, self.state['ms'], self.state['last']
        if grad is None:
            last += 1  # no step for this parameter
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
