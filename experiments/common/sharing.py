"""Training and evaluation whose batches several processes share."""
import itertools

from chainer import reporter
from chainer.training import extensions
from chainer.training import updaters


class Updater(updaters.StandardUpdater):

    """Updater that trains on a share of every batch.

    Args:
        iterator (~chainer.dataset.Iterator): What gives the batches, lists of
            examples.
        optimizer (~chainer.Optimizer): As ``processes.multi_node`` gave it.
        converter (function): Makes arrays of examples.
        device (chainer.backend.Device): Device of the training.
        processes (~experiments.common.communication.Alone): Those that train.
        count (function): Tells of examples over how many things their loss is
            the mean.

    """

    def __init__(self, iterator, optimizer, converter, device, processes,
                 count=len):
        super(Updater, self).__init__(
            iterator, optimizer, converter, device=device)
        self._processes = processes
        self._count = count

    def update_core(self):
        batch = self.get_iterator('main').next()
        share = self._processes.share(batch)
        # So the mean of all processes' losses is that of the whole batch.
        weight = (self._processes.size * self._count(share)
                  / self._count(batch))
        optimizer = self.get_optimizer('main')
        arrays = self.converter(share, self.input_device)
        optimizer.update(lambda: weight * optimizer.target(*arrays))


class Evaluator(extensions.Evaluator):

    """Trainer extension of which every process does every so many batches.

    Every process gets the outcome of all, which is to the last bit that of a
    single process.

    Args:
        iterator (~chainer.dataset.Iterator): What gives the batches.
        model (~chainer.Chain): The model.
        converter (function): Makes arrays of examples.
        processes (~experiments.common.communication.Alone): Those that take
            part.
        progress_bar (bool): Whether to show how far it is.

    """

    def __init__(self, iterator, model, converter, processes,
                 progress_bar=False):
        super(Evaluator, self).__init__(
            {'main': _EverySo(iterator, processes)}, model,
            converter=lambda batch, _: converter(batch, model.device),
            eval_func=self._observe, progress_bar=progress_bar)
        self.processes = processes

    def score(self, *arrays):
        """Calls the model, which reports how good it is on a batch."""
        self.get_target('main')(*arrays)

    @property
    def n_batches(self):
        """Number of batches before the present one, over all processes."""
        return (len(self._observations) * self.processes.size
                + self.processes.rank)

    def evaluate(self):
        self._observations = []
        super(Evaluator, self).evaluate()
        gathered = self.processes.gather(self._observations)
        summary = reporter.DictSummary()
        for each in itertools.chain(*itertools.zip_longest(*gathered)):
            summary.add(each or {})
        return summary.compute_mean()

    def _observe(self, *arrays):
        self.score(*arrays)
        # Means are taken in float64.
        self._observations.append({
            name: (mean.astype('f8'), weight) for name, (mean, weight) in
            reporter.get_current_reporter().observation.items()})


class _EverySo(object):

    """Those batches of an iterator that are this process's."""

    def __init__(self, iterator, processes):
        self._iterator = iterator
        self._processes = processes

    def __iter__(self):
        return itertools.islice(
            self._iterator, self._processes.rank, None, self._processes.size)

    def __getattr__(self, name):
        return getattr(self._iterator, name)
