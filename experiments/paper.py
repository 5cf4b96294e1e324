"""Results and settings that the paper reports.

The paper is J. Bradbury et al.: `Quasi-Recurrent Neural Networks
<https://arxiv.org/abs/1611.01576>`_, ICLR 2017.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Table:
    """Table of the paper for one experiment.

    Attributes:
        title (str): Title of the table.
        data (str): Name of the data set.
        fingerprints (tuple of str): Accepted fingerprints of the data in
            ``result.json``.
        validation (tuple): Criterion for the best epoch: an entry of the log,
            a factor for display, and ``min`` or ``max``.
        columns (dict): Maps headings of columns to entries of ``result.json``
            or to ``'validation'``, the score of the best epoch.
        rows (dict): Maps configurations to the paper's results, in the order
            of the columns.
        settings (dict): Maps each configuration to a dict of the paper's
            settings. Settings that the paper does not give are None.

    """

    title: str
    data: str
    fingerprints: tuple
    validation: tuple
    columns: dict
    rows: dict
    settings: dict

    def has_data(self, result):
        """Return whether a result is from a run on the paper's data."""
        return result['data'].get('fingerprint') in self.fingerprints


# Settings shared by the rows of a table

_IMDB = {
    'n_layers': 4, 'n_units': 256, 'dropout': .3, 'embed_size': 300,
    'word vectors': 'GloVe 840B, 300 dimensions, cased', 'min_count': None,
    'batch_size': 24, 'n_epochs': None, 'lr': .001, 'alpha': .9, 'eps': 1e-8,
    'l2': 4e-6, 'l2_embedding': True, 'dtype': 'float32'}

_PTB = {
    'parameters': '18M', 'n_layers': 2, 'n_units': 640, 'dropout': None,
    'init_scale': None, 'sum_over': None, 'batch_size': 20, 'n_steps': 105,
    'n_epochs': 72, 'lr': 1., 'n_full_lr_epochs': 6, 'lr_decay': .95,
    'l2': 2e-4, 'L2 acts on': None, 'max_norm': 10., 'dtype': 'float32'}

_IWSLT = {
    'n_units': 320, 'n_embedding': None, 'dropout': 0., 'max_length': 300,
    'batch_size': 16, 'n_epochs': 10, 'alpha': .001, 'beta1': .9,
    'beta2': .999, 'eps': 1e-8, 'max_norm': 5., 'dtype': 'float32',
    'training pairs': 209772, 'characters': 187, 'beam width': 8,
    'beam alpha': .6}

#: Maps experiments to tables, in the paper's order. Seconds per epoch are
#: from an NVIDIA K40. For Table 3, the paper gives hours. For Table 2, it
#: gives no times.
TABLES = {
    'imdb': Table(
        'Table 1: sentiment, IMDb (accuracy in %)', 'IMDb',
        # Fingerprints for min_count=2, min_count=0 and min_count=25
        ('a3e2b7349aff1254ba4123109665a143e20148a2c6b964ce404ab6a919dbf24c',
         '6d4380cb960af0061d8a8d7da50cc42ae12a3823e5bdc402a29c19631fcfccc1',
         '42324769e9585d261f25d7ca68df5565c7f88bbe380fe3168751568383468915'),
        validation=('validation/main/accuracy', 100, max),
        columns={'development accuracy': 'validation',
                 'test accuracy': 'test_accuracy',
                 's / epoch': 'seconds_per_epoch'},
        rows={'qrnn': (None, 91.4, 150),
              'qrnn-k4': (None, 91.1, 160),
              'lstm': (None, 90.9, 480)},
        settings={'qrnn': dict(_IMDB, kernel_size=2, zoneout=0.),
                  'qrnn-k4': dict(_IMDB, kernel_size=4, zoneout=0.),
                  'lstm': _IMDB}),
    'ptb': Table(
        'Table 2: language model, Penn Treebank (perplexity per word)',
        'Penn Treebank',
        ('43fef68838c4f397b381215d0e859a1c191cb1f44851cd201ff67b6e998ec58f',),
        validation=('validation/perplexity', 1, min),
        columns={'validation perplexity': 'validation',
                 'test perplexity': 'test_perplexity',
                 's / epoch': 'seconds_per_epoch'},
        rows={'qrnn-zoneout': (82.1, 78.3, None),
              'qrnn': (82.9, 79.9, None),
              'lstm': (85.7, 82.0, None)},
        settings={'qrnn-zoneout': dict(_PTB, kernel_size=2, zoneout=.1,
                                       zoneout_expectation=None),
                  'qrnn': dict(_PTB, kernel_size=2, zoneout=0.),
                  'lstm': dict(dict.fromkeys(_PTB), parameters='20M')}),
    'iwslt': Table(
        'Table 3: German-English translation, IWSLT (characters)',
        'TED.tst2014',
        ('ddd82264abb440bc04bfaf83aba0f6454f7fdbe7c2f3bbb23834e9b12708e47a',),
        validation=('validation/perplexity', 1, min),
        columns={'development perplexity': 'validation',
                 'BLEU (sacreBLEU)': 'test_sacrebleu',
                 "BLEU (NLTK's)": 'test_bleu',
                 's / epoch': 'seconds_per_epoch'},
        rows={'qrnn': (None, 19.41, 19.41, 3600),
              'lstm': (None, 16.53, 16.53, 15120)},
        settings={'qrnn': dict(_IWSLT, kernel_sizes=[6, 2, 2, 2],
                               decoder_kernel_size=2),
                  'lstm': dict(_IWSLT, dropout=.2)}),
}

#: Figure 4, right: speedup of a QRNN layer of 320 units over cuDNN's LSTM in
#: inference. The keys are pairs of the batch size and T.
LAYER_SPEED = {
    (batch, steps): factor
    for batch, factors in {
        8: (5.5, 8.8, 11.0, 12.4, 16.9),
        16: (5.5, 6.7, 7.8, 8.3, 10.8),
        32: (4.2, 4.5, 4.9, 4.9, 6.4),
        64: (3.0, 3.0, 3.0, 3.0, 3.7),
        128: (2.1, 1.9, 2.0, 2.0, 2.4),
        256: (1.4, 1.4, 1.3, 1.3, 1.3)}.items()
    for steps, factor in zip((32, 64, 128, 256, 512), factors)}

#: Figure 4, left: milliseconds of each part of a training batch of the
#: language model.
BATCH_MILLISECONDS = {
    "Chainer's LSTM": {'RNN': 361, 'softmax': 75, 'optimisation': 44},
    "cuDNN's LSTM": {'RNN': 172, 'softmax': 75, 'optimisation': 44},
    'QRNN': {'RNN': 43, 'softmax': 75, 'optimisation': 35},
}
