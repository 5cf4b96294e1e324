"""What every classifier of reviews is trained and scored by."""
import chainer
import chainer.functions as F


class Classifier(chainer.Chain):

    """Tells whether a review is positive.

    A subclass defines ``score(words, lengths)``, the logarithm of the odds
    that a review is, ``(B,)``, and ``number(word)``, the number of a word.
    """

    def forward(self, words, lengths, labels):
        """Mean loss of a batch; reports ``loss`` and ``accuracy``.

        Args:
            words (:ref:`ndarray`): int32 words of shape ``(B, T)``, padded
                with -1.
            lengths (:ref:`ndarray`): Words of each review, ``(B,)``.
            labels (:ref:`ndarray`): int32 labels, 0 or 1, ``(B,)``.

        Returns:
            ~chainer.Variable: The mean cross entropy.

        """
        score = self.score(words, lengths)
        loss = F.sigmoid_cross_entropy(score, labels)
        hits = (score.array >= 0) == (labels == 1)
        chainer.report({
            'loss': (loss.array, len(labels)),
            'accuracy': (hits.mean(), len(labels))}, self)
        return loss
