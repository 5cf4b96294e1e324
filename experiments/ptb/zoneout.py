"""Scores with the other setting of zoneout, which the paper does not give."""
from experiments.ptb.stream import StreamEvaluator


class OtherZoneoutEvaluator(StreamEvaluator):
    """Trainer extension that scores with the opposite zoneout setting.

    It uses f itself if the model uses the expectation of f under zoneout, and
    the expectation otherwise.
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
