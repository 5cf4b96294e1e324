"""Base class of the sentiment classifiers: loss and accuracy."""
import chainer
import chainer.functions as F


class Classifier(chainer.Chain):
    """Base class of sentiment classifiers.

    A subclass defines ``logits(words, lengths)``, ``(B,)``, positive for a
    positive review, and ``number(word)``, the number of a word.
    """

    def forward(self, words, lengths, labels):
        """Return the mean cross entropy; report ``loss`` and ``accuracy``.

        Words are int32, ``(B, T)``, padded with -1; lengths and labels, 0 or
        1, ``(B,)``.
        """
        logits = self.logits(words, lengths)
        loss = F.sigmoid_cross_entropy(logits, labels)
        hits = (logits.array >= 0) == (labels == 1)
        chainer.report({
            'loss': (loss.array.astype('d'), len(labels)),
            'accuracy': (hits.mean(), len(labels))}, self)
        return loss
