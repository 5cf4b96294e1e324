"""A text as one stream: iterator, updater and evaluators."""
import chainer
from chainer import training
from chainer.training import extensions
import numpy

from experiments.common.cli import UserError
from experiments.common.processes import share
from experiments.common.processes import SingleProcess


class StreamIterator(chainer.dataset.Iterator):
    """Iterator over chunks of a stream of words.

    The stream is divided into ``B`` rows of equal length, and each row into
    chunks of ``T`` words; the last chunk may be shorter. Each chunk continues
    the previous chunk, so a recurrent state can be carried over. Words after
    the last row, at most ``B - 1``, are left out. The targets are the words.
    In the stream, each input precedes its target; the first input is ``eos``.
    """

    def __init__(self, stream, batch_size, n_steps, eos=0, repeat=True):
        length = len(stream) // batch_size
        if not length:
            raise UserError(f'a text of {len(stream)} words is too short for '
                            f'{batch_size} rows; use a longer text')
        shifted = numpy.concatenate(([eos], stream[:-1]), dtype='i')
        self._inputs, self._targets = (
            words[:batch_size * length].reshape(batch_size, length)
            for words in (shifted, stream))
        self._n_steps = n_steps
        self._repeat = repeat
        self._n_chunks = -(-length // n_steps)
        self.reset()

    def reset(self):
        """Return to the start of the first epoch."""
        self.current_position = 0  # number of chunks returned in this epoch
        self.epoch = 0
        self.is_new_epoch = False

    def __next__(self):
        """Return the next inputs and targets, both int32, ``(B, T)``."""
        if self.epoch and not self._repeat:
            raise StopIteration
        start = self.current_position * self._n_steps
        chunk = slice(start, start + self._n_steps)
        self.current_position += 1
        self.is_new_epoch = self.current_position == self._n_chunks
        if self.is_new_epoch:
            self.current_position = 0
            self.epoch += 1
        return self._inputs[:, chunk], self._targets[:, chunk]

    next = __next__

    @property
    def epoch_detail(self):
        return self.epoch + self.current_position / self._n_chunks

    @property
    def previous_epoch_detail(self):
        return max(self.epoch_detail - 1 / self._n_chunks, 0)

    def serialize(self, serializer):
        self.current_position = serializer(
            'current_position', self.current_position)
        self.epoch = serializer('epoch', self.epoch)
        self.is_new_epoch = bool(serializer(
            'is_new_epoch', int(self.is_new_epoch)))


class StreamUpdater(training.updaters.StandardUpdater):
    """Updater with truncated backpropagation along a stream.

    The model's state is reset at the start of each epoch and carried from
    chunk to chunk. Gradients are not propagated from one chunk to the previous
    chunk. If there are several processes, they share the rows.
    """

    def __init__(self, iterator, optimizer, device,
                 processes=SingleProcess()):
        super().__init__(iterator, optimizer, device=device)
        self._processes = processes

    def update_core(self):
        iterator = self.get_iterator('main')
        optimizer = self.get_optimizer('main')
        model = optimizer.target
        if iterator.current_position == 0:
            model.reset_state()
        x, t = self.input_device.send(tuple(
            share(words, self._processes) for words in iterator.next()))
        optimizer.update(model, x, t)
        model.unchain_state()
        self._processes.merge(model)

    def serialize(self, serializer):
        super().serialize(serializer)
        # To resume within an epoch, the states of all rows are required.
        rnn = self.get_optimizer('main').target.rnn
        is_loading = isinstance(serializer, chainer.Deserializer)
        states = []
        for i, layer in enumerate(rnn):
            fields = layer.state_type._fields
            parts = [None] * len(fields) if is_loading else layer.state
            parts = [serializer[f'state/{i}'](
                name, None if is_loading else self._gather(part))
                for name, part in zip(fields, parts)]
            states.append(layer.state_type(*(
                share(part, self._processes) if part.size else None
                for part in parts)))
        if is_loading:
            rnn.state = states

    def _gather(self, part):
        if part is None:  # no previous inputs if the kernel size is 1
            return numpy.empty(0, 'f')
        return numpy.concatenate(self._processes.gather(
            chainer.backends.cuda.to_cpu(part.array)))


class StreamEvaluator(extensions.Evaluator):
    """Trainer extension that scores a whole stream as a single row.

    Every word is predicted exactly once, from all previous words. The state
    that the model carries in training is restored afterwards.
    """

    def __init__(self, stream, model, eos=0, n_steps=1000):
        super().__init__(
            StreamIterator(stream, 1, n_steps, eos, repeat=False), model,
            converter=lambda chunk, device: model.device.send(chunk))

    def evaluate(self):
        model = self.get_target('main')
        state = model.rnn.state
        model.reset_state()
        try:
            return super().evaluate()
        finally:
            model.rnn.state = state


def scores(model, corpus):
    """Return a dict of the perplexities on ``'valid'`` and ``'test'``."""
    return {part: float(numpy.exp(StreamEvaluator(
        getattr(corpus, part), model, corpus.eos)()['main/loss']))
        for part in ('valid', 'test')}
