"""Base class of the sentiment classifiers: loss and accuracy."""
import chainer
import chainer.functions as F


class Classifier(chainer.Chain):
    """Base class of sentiment classifiers.

    A subclass defines two methods. ``logits(words, lengths)`` returns logits,
    ``(B,)``, which are positive for positive reviews. ``number(word)`` returns
    the index of a word.
    """

    def forward(self, words, lengths, labels):
        """Return the mean cross entropy; report ``loss`` and ``accuracy``.

        ``words`` is int32, ``(B, T)``, padded with -1. ``lengths`` and
        ``labels`` have the shape ``(B,)``. Labels are 0 or 1.
        """
        logits = self.logits(words, lengths)
        loss = F.sigmoid_cross_entropy(logits, labels)
        hits = (logits.array >= 0) == (labels == 1)
        chainer.report({
            'loss': (loss.array.astype('d'), len(labels)),
            'accuracy': (hits.mean(), len(labels))}, self)
        return loss
