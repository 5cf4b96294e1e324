"""A text as one stream: cut for training, run through for a score."""
import chainer
from chainer import serializer as serializer_module
from chainer import training
import numpy

from experiments.common import communication
from experiments.common import sharing
from experiments.common.errors import Problem


class StreamIterator(chainer.dataset.Iterator):

    """Iterator over chunks of a stream of words.

    The stream is laid out as ``B`` rows of equal length side by side, and
    every row is cut into chunks of ``T`` words, the last one shorter where
    the length demands it. Chunk ``i + 1`` goes on, row by row, where chunk
    ``i`` ended, so a recurrent state can be carried over. What does not
    fill the rows, fewer than ``B`` words, is left out.

    The input of a word is the word before it in the stream, also across
    rows; that of the first one is the end of a sentence. So with ``B = 1``
    every word of the stream is predicted exactly once.

    Args:
        stream (numpy.ndarray): int32 word numbers, ``(n,)``.
        batch_size (int): Number of rows, ``B``.
        n_steps (int): Length of a chunk, ``T``.
        eos (int): Number of the word that ends a sentence.
        repeat (bool): If ``True``, goes on with the next epoch; if
            ``False``, stops after the first.

    """

    def __init__(self, stream, batch_size, n_steps, eos=0, repeat=True):
        length = len(stream) // batch_size
        if not length:
            raise Problem('a text of {} words is too short for {} rows; use '
                          'a longer one'.format(len(stream), batch_size))
        shifted = numpy.concatenate(([eos], stream[:-1])).astype('i')
        rows = slice(batch_size * length), (batch_size, length)
        self._inputs, self._targets = [
            words[rows[0]].reshape(rows[1]) for words in (shifted, stream)]
        self._n_steps = n_steps
        self._repeat = repeat
        self.n_rows = batch_size
        self.n_chunks = -(-length // n_steps)
        self.reset()

    def reset(self):
        """Goes back to the start of the first epoch."""
        self.current_position = 0  # chunks of this epoch already given
        self.epoch = 0
        self.is_new_epoch = False

    def __next__(self):
        """Next chunk: inputs and targets, int32 of ``(B, T)`` each."""
        if self.epoch and not self._repeat:
            raise StopIteration
        start = self.current_position * self._n_steps
        chunk = slice(start, start + self._n_steps)
        self.current_position += 1
        self.is_new_epoch = self.current_position == self.n_chunks
        if self.is_new_epoch:
            self.current_position = 0
            self.epoch += 1
        return self._inputs[:, chunk], self._targets[:, chunk]

    next = __next__

    @property
    def is_at_start(self):
        """Whether the next chunk is the first one of an epoch."""
        return self.current_position == 0

    @property
    def batch_description(self):
        """The last chunk in words."""
        start = ((self.current_position or self.n_chunks) - 1) * self._n_steps
        rows, length = self._targets.shape
        return ('words {} to {} of each of the {} rows of {} words that the '
                'text is cut into, counted from 0'.format(
                    start, min(start + self._n_steps, length) - 1, rows,
                    length))

    @property
    def epoch_detail(self):
        return self.epoch + self.current_position / self.n_chunks

    @property
    def previous_epoch_detail(self):
        done = self.epoch * self.n_chunks + self.current_position
        return max(done - 1, 0) / self.n_chunks

    def serialize(self, serializer):
        self.current_position = serializer(
            'current_position', self.current_position)
        self.epoch = serializer('epoch', self.epoch)
        self.is_new_epoch = bool(serializer(
            'is_new_epoch', int(self.is_new_epoch)))
        if not 0 <= self.current_position < self.n_chunks:
            raise ValueError('it is of a text with more chunks than {}'.format(
                self.n_chunks))


class StreamUpdater(training.updaters.StandardUpdater):

    """Updater with truncated backpropagation along a stream.

    The state of the model starts anew with every epoch and is carried from
    one chunk to the next; gradients stop at the boundary. Several processes
    share the rows, each with the state of its own.

    Args:
        iterator (StreamIterator): What gives the chunks.
        optimizer (~chainer.Optimizer): As ``processes.multi_node`` gave it.
        device (chainer.backend.Device): Device of the training.
        processes (~experiments.common.communication.Alone): Those that train.

    """

    def __init__(self, iterator, optimizer, device,
                 processes=communication.Alone()):
        super(StreamUpdater, self).__init__(iterator, optimizer, device=device)
        self._processes = processes

    def update_core(self):
        iterator = self.get_iterator('main')
        optimizer = self.get_optimizer('main')
        model = optimizer.target
        if iterator.is_at_start:
            model.reset_state()
        x, t = self.input_device.send(tuple(
            map(self._processes.share, iterator.next())))
        optimizer.update(model, x, t)
        model.unchain_state()

    def serialize(self, serializer):
        super(StreamUpdater, self).serialize(serializer)
        # The carried state of all rows, without which a snapshot would only
        # do between two epochs.
        model = self.get_optimizer('main').target
        rnn = model.rnn
        is_loading = isinstance(serializer, serializer_module.Deserializer)
        states = []
        for i, layer in enumerate(rnn):
            s = serializer['state'][str(i)]
            fields = layer.state_type._fields
            parts = len(fields) * [None] if is_loading else [
                # Without previous inputs (k = 1) there is no such part.
                numpy.empty(0, 'f') if part is None else self._of_all(part)
                for part in layer.state]
            parts = map(s, fields, parts)
            states.append(layer.state_type(*(
                self._own(part, model.embed.W.shape[1]) for part in parts)))
        if is_loading:
            rnn.state = states

    def _of_all(self, part):
        return numpy.concatenate(self._processes.gather(
            chainer.backends.cuda.to_cpu(part.array)))

    def _own(self, part, n_units):
        """This process's share of a part of the state of all rows."""
        if not part.size:
            return None
        if not (part.dtype.kind == 'f' and part.ndim > 1
                and part.shape[0] == self.get_iterator('main').n_rows
                and part.shape[-1] == n_units):
            raise ValueError('it has the state of another model')
        return self._processes.share(part)


class StreamEvaluator(sharing.Evaluator):

    """Trainer extension that scores a whole stream as a single row.

    Every word is predicted exactly once, from all the words before it. The
    state that the model carries through training is put back afterwards.

    Several processes take turns at the chunks. The next one goes on from the
    state while this one predicts the words, which is the larger part of the
    work.

    Args:
        stream (numpy.ndarray): int32 word numbers, ``(n,)``.
        model (LanguageModel): The model.
        eos (int): Number of the word that ends a sentence.
        processes (~experiments.common.communication.Alone): What takes part.
        n_steps (int): Number of words taken at a time; it changes memory
            and speed, not the score.

    """

    def __init__(self, stream, model, eos=0,
                 processes=communication.Alone(), n_steps=1000):
        iterator = StreamIterator(stream, 1, n_steps, eos, repeat=False)
        super(StreamEvaluator, self).__init__(
            iterator, model, lambda chunk, device: device.send(chunk),
            processes)
        self._n_chunks = iterator.n_chunks

    def evaluate(self):
        model = self.get_target('main')
        state = model.rnn.state
        model.reset_state()
        try:
            return super(StreamEvaluator, self).evaluate()
        finally:
            model.rnn.state = state

    def score(self, x, t):
        model, processes = self.get_target('main'), self.processes
        if self.n_batches:
            model.rnn.state = processes.receive(
                (processes.rank - 1) % processes.size)
        h = model.read(x)
        if self.n_batches + 1 < self._n_chunks:
            processes.send((processes.rank + 1) % processes.size, [
                [None if part is None else part.array for part in state]
                for state in model.rnn.state])
        model.loss(h, t)


def scores(model, corpus, processes=communication.Alone()):
    """Perplexities of a model on the validation and the test part.

    Args:
        model (LanguageModel): The model.
        corpus (Corpus): The text.
        processes (~experiments.common.communication.Alone): What takes part.

    Returns:
        dict: A float each for ``'valid'`` and ``'test'``.

    """
    losses = {
        part: StreamEvaluator(
            getattr(corpus, part), model, corpus.eos, processes)()
        for part in ('valid', 'test')}
    return {part: float(numpy.exp(loss['main/loss']))
            for part, loss in losses.items()}
