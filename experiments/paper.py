"""What the paper reports, and the settings that it gives, in one place.

J. Bradbury et al.: `Quasi-Recurrent Neural Networks
<https://arxiv.org/abs/1611.01576>`_, ICLR 2017, "as reported by the paper".
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Table:

    """A table of the paper, for one experiment.

    Attributes:
        title (str): What it is.
        data (str): Name of the data that its numbers belong to.
        fingerprints (tuple of str): Their digests, in ``result.json``.
        columns (dict): Entry of ``result.json`` by the heading of its column.
        validation (tuple): The column that is known after every epoch: its
            heading, the entry of the log, a factor, and what chooses the best
            epoch.
        rows (dict): Numbers of each configuration, by entry.
        settings (dict): Settings of each configuration, by the names that
            they have here; None where the paper gives none.
        notes (str): What else to know of the table.

    """

    title: str
    data: str
    fingerprints: tuple
    columns: dict
    validation: tuple
    rows: dict
    settings: dict
    notes: str = ''

    def has_data(self, result):
        """Return whether a run was scored on the paper's data."""
        return result.get('data', {}).get('fingerprint') in self.fingerprints


_IMDB = {
    'n_layers': 4, 'n_units': 256, 'kernel_size': 2, 'zoneout': 0.,
    'dropout': .3, 'embed_size': 300, 'min_count': None, 'batch_size': 24,
    'n_epochs': None, 'lr': .001, 'alpha': .9, 'eps': 1e-8, 'l2': 4e-6,
    'l2_embedding': True, 'dtype': 'float32',
    'word vectors': 'GloVe 840B, 300 dimensions, cased',
}

_PTB = {
    'n_layers': 2, 'n_units': 640, 'kernel_size': 2, 'zoneout': 0.,
    'dropout': .5, 'init_scale': None, 'sum_over': None, 'batch_size': 20,
    'n_steps': 105, 'n_epochs': 72, 'lr': 1., 'n_full_lr_epochs': 6,
    'lr_decay': .95, 'l2': 2e-4, 'L2 acts on': None, 'max_norm': 10.,
    'dtype': 'float32',
}

_IWSLT = {
    'n_units': 320, 'n_embedding': None, 'kernel_sizes': [6, 2, 2, 2],
    'decoder_kernel_size': 2, 'dropout': 0., 'max_length': 300,
    'batch_size': 16, 'n_epochs': 10, 'alpha': .001, 'beta1': .9,
    'beta2': .999, 'eps': 1e-8, 'max_norm': 5., 'dtype': 'float32',
    'training pairs': 209772, 'characters': 187, 'beam width': 8,
    'beam alpha': .6, 'BLEU': None,
}

_OF_QRNNS = ('kernel_size', 'zoneout', 'kernel_sizes', 'decoder_kernel_size')


def _lstm(settings, **others):
    """Return the settings of the LSTM in a QRNN's place."""
    return {name: others.get(name, value)
            for name, value in settings.items() if name not in _OF_QRNNS}


#: The tables by experiment, in the paper's order. Seconds are on an NVIDIA
#: K40; the paper gives hours for translation and nothing for Table 2.
TABLES = {
    'imdb': Table(
        'Table 1: sentiment, IMDb (accuracy in %)', 'IMDb',
        # Numbered by a vocabulary of words that occur twice, and of all words
        ('a3e2b7349aff1254ba4123109665a143e20148a2c6b964ce404ab6a919dbf24c',
         '6d4380cb960af0061d8a8d7da50cc42ae12a3823e5bdc402a29c19631fcfccc1'),
        columns={'test accuracy': 'test_accuracy'},
        validation=('development accuracy', 'validation/main/accuracy', 100,
                    max),
        rows={
            'qrnn': {'test_accuracy': 91.4, 'seconds_per_epoch': 150},
            'qrnn-k4': {'test_accuracy': 91.1, 'seconds_per_epoch': 160},
            'lstm': {'test_accuracy': 90.9, 'seconds_per_epoch': 480},
        },
        settings={'qrnn': _IMDB, 'qrnn-k4': dict(_IMDB, kernel_size=4),
                  'lstm': _lstm(_IMDB)},
        notes='The bag of words that every run trains beside its model is a '
              'weak baseline. The stronger linear ones of the literature see '
              'bigrams, too: an SVM gets 89.16 % of the test part right, '
              'NBSVM 91.22 % (S. Wang, C. Manning: Baselines and Bigrams, '
              'ACL 2012).'),
    'ptb': Table(
        'Table 2: language model, Penn Treebank (perplexity per word)',
        'Penn Treebank',
        ('43fef68838c4f397b381215d0e859a1c191cb1f44851cd201ff67b6e998ec58f',),
        columns={'test perplexity': 'test_perplexity'},
        validation=('validation perplexity', 'validation/perplexity', 1, min),
        rows={
            'qrnn-zoneout': {'validation': 82.1, 'test_perplexity': 78.3},
            'qrnn': {'validation': 82.9, 'test_perplexity': 79.9},
            'lstm': {'validation': 85.7, 'test_perplexity': 82.0},
        },
        settings={'qrnn-zoneout': dict(_PTB, zoneout=.1), 'qrnn': _PTB,
                  'lstm': dict.fromkeys(_lstm(_PTB))},
        notes='The paper gives its LSTM 20M parameters, its QRNNs 18M.'),
    'iwslt': Table(
        'Table 3: German-English translation, IWSLT (characters)',
        'TED.tst2014',
        ('ddd82264abb440bc04bfaf83aba0f6454f7fdbe7c2f3bbb23834e9b12708e47a',),
        columns={'BLEU (sacreBLEU)': 'test_sacrebleu',
                 "BLEU (NLTK's)": 'test_bleu'},
        validation=('development perplexity', 'validation/perplexity', 1,
                    min),
        rows={
            'qrnn': {'test_sacrebleu': 19.41, 'test_bleu': 19.41,
                     'seconds_per_epoch': 3600},
            'lstm': {'test_sacrebleu': 16.53, 'test_bleu': 16.53,
                     'seconds_per_epoch': 15120},
        },
        settings={'qrnn': _IWSLT, 'lstm': _lstm(_IWSLT, dropout=.2)},
        notes='The paper does not say which BLEU it computes; its number '
              'stands beside both.'),
}

#: Figure 4, right: times faster than cuDNN's LSTM in inference, for a layer of
#: 320 units, by batch and T.
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

#: Figure 4, left: milliseconds of a batch of the language model.
BATCH_MILLISECONDS = {
    "Chainer's LSTM": {'RNN': 361, 'softmax': 75, 'optimisation': 44},
    "cuDNN's LSTM": {'RNN': 172, 'softmax': 75, 'optimisation': 44},
    'QRNN': {'RNN': 43, 'softmax': 75, 'optimisation': 35},
}


def compare(result, paper):
    """Compare a run's settings with those of its row.

    Args:
        result (dict): What ``result.json`` says.
        paper (Table): The paper's.

    Returns:
        tuple: What differs, and what the paper does not give, lists of str.

    """
    ours = _settings(result)
    differs, not_given = [], []
    for name, value in paper.settings[result['config']].items():
        mine = ours.get(name, 'not recorded')
        if value is None:
            not_given.append(f'{name} (here {mine})')
        elif mine != value and mine is not None:
            differs.append(f'{name} {mine} (paper: {value})')
    return differs, not_given


def _settings(result):
    """Return a run's settings, by the names that the paper's have."""
    data, search = result['data'], result.get('test_search')
    ours = dict(result['settings'], n_epochs=result['epochs'],
                dtype=result.get('dtype', 'float32'))
    if result['experiment'] == 'ptb':
        ours['L2 acts on'] = 'all parameters'
    if result['experiment'] == 'imdb':
        glove = result.get('glove')
        ours['word vectors'] = glove and (
            f"of {glove['vectors']:,} words, {100 * glove['coverage']:.1f} % "
            f"of the running words, {glove['size']} dimensions") or 'none'
    if result['experiment'] == 'iwslt':
        ours.update({
            'training pairs': data['pairs']['train'],
            'characters': data['characters'],
            'BLEU': "NLTK's and sacreBLEU",
            'beam width': search and search['width'],
            'beam alpha': search and search['alpha']})
    return ours
