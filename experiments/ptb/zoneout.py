"""Evaluation with the opposite setting of ``zoneout_expectation``.

The paper does not state which of the two settings it uses.
"""
from experiments.ptb.stream import StreamEvaluator


class OtherZoneoutEvaluator(StreamEvaluator):
    """Trainer extension that scores with the opposite zoneout setting.

    If the model uses the expectation of the forget gate under zoneout, this
    evaluator uses the gate itself, and vice versa.
    """

    def evaluate(self):
        self._switch()
        try:
            return super().evaluate()
        finally:
            self._switch()

    def _switch(self):
        for layer in self.get_target('main').rnn:
            layer.zoneout_expectation = not layer.zoneout_expectation
