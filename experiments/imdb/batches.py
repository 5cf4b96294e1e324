"""Reviews of unequal length in one array."""
import chainer
import numpy


PAD = -1  # number that stands past the end of a review


@chainer.dataset.converter()
def pad(examples, device):
    """Makes a batch of reviews; a ``converter`` of Chainer's updaters.

    Args:
        examples (list of tuple): Pairs of a review's words, ``(T,)``, and its
            label.
        device (chainer.backend.Device): Where words and labels go. Lengths
            stay on the CPU, where they are checked.

    Returns:
        tuple: int32 words, ``(B, T)`` with one step at least, padded with -1,
        lengths, ``(B,)``, and labels, ``(B,)``.

    """
    reviews, labels = zip(*examples)
    lengths = numpy.array([len(review) for review in reviews], 'i')
    words = numpy.full((len(reviews), max(1, lengths.max())), PAD, 'i')
    for row, review in zip(words, reviews):
        row[:len(review)] = review
    labels = numpy.array(labels, 'i')
    return device.send(words), lengths, device.send(labels)
