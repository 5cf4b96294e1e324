"""Train a text classifier in several processes.

Usage: mpiexec -n 2 python train_in_processes.py
"""
import argparse
import os
import random

import qrnn  # must be imported before Chainer

import chainer
from chainer import functions as F
from chainer import iterators
from chainer import links as L
from chainer import training
from chainer.training import extensions
import chainermn
import numpy as np

from qrnn.functions import last_valid_step


class Classifier(chainer.Chain):

    def __init__(self, n_words, n_units=32):
        super().__init__()
        with self.init_scope():
            self.embed = L.EmbedID(n_words, n_units, ignore_label=-1)
            self.rnn = qrnn.QRNNStack(2, n_units, n_units)
            self.output = L.Linear(n_units, 2)

    def forward(self, words, lengths, labels):
        h = self.rnn(self.embed(words), lengths)
        y = self.output(last_valid_step(h, lengths))
        loss = F.softmax_cross_entropy(y, labels)
        chainer.report(
            {'loss': loss, 'accuracy': F.accuracy(y, labels)}, self)
        return loss


@chainer.dataset.converter()
def convert(batch, device):
    words, labels = zip(*batch)
    lengths = np.array([len(w) for w in words], np.int32)
    padded = chainer.dataset.concat_examples(words, padding=-1)
    return device.send((padded, lengths, np.array(labels)))


def load_texts(n=600):
    """Return a list of pairs (words, label). Load your own data instead."""
    draw = random.Random(0)
    texts = []
    for _ in range(n):
        is_good, is_negated = draw.random() < .5, draw.random() < .5
        text = draw.choice(['the film is', 'i found it', 'it was'])
        text += ' not ' if is_negated else ' '
        text += draw.choice(['good', 'great'] if is_good else ['bad', 'dull'])
        texts.append((text.split(), int(is_good != is_negated)))
    return texts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--batch-size', type=int, default=20)
    parser.add_argument('--epoch', type=int, default=4)
    parser.add_argument('--out', default='result')
    args = parser.parse_args()

    # If one process raises an exception, end all processes. Otherwise, the
    # other processes would wait forever.
    chainermn.global_except_hook.add_hook()
    comm = chainermn.create_communicator('naive')
    is_root = comm.rank == 0
    np.random.seed(comm.rank)  # random numbers differ between processes

    # The root process reads the data. All processes use the same vocabulary.
    vocabulary = train = test = None
    if is_root:
        texts = load_texts()
        vocabulary = sorted({word for words, _ in texts for word in words})
        numbers = {word: i for i, word in enumerate(vocabulary)}
        examples = [(np.array([numbers[word] for word in words], np.int32),
                     np.int32(label)) for words, label in texts]
        train, test = examples[:500], examples[500:]
    vocabulary = comm.bcast_obj(vocabulary)
    # Each process gets an equal part of the examples.
    train = chainermn.scatter_dataset(train, comm, shuffle=True, seed=0)
    test = chainermn.scatter_dataset(test, comm)

    # The first update copies the parameters of the root process to all
    # processes. Every further update averages the gradients of all processes.
    device = chainer.get_device('@numpy')
    model = Classifier(len(vocabulary))
    optimizer = chainermn.create_multi_node_optimizer(
        chainer.optimizers.Adam(.01), comm).setup(model)

    batch_size = args.batch_size // comm.size  # examples per process
    updater = training.updaters.StandardUpdater(
        iterators.SerialIterator(train, batch_size), optimizer, convert,
        device=device)
    trainer = training.Trainer(updater, (args.epoch, 'epoch'), args.out)
    # Each process evaluates the model on its part of the test data. Only the
    # root process writes files.
    trainer.extend(chainermn.create_multi_node_evaluator(
        extensions.Evaluator(
            iterators.SerialIterator(
                test, batch_size, repeat=False, shuffle=False),
            model, convert, device=device), comm))
    if is_root:
        trainer.extend(extensions.LogReport())
        trainer.extend(extensions.PrintReport(
            ['epoch', 'main/loss', 'validation/main/loss',
             'validation/main/accuracy']))
    trainer.run()
    if is_root:
        chainer.serializers.save_npz(
            os.path.join(args.out, 'model.npz'), model)


if __name__ == '__main__':
    main()
