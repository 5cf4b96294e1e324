"""What the paper reports for this experiment."""

TITLE = 'Table 1: sentiment, IMDb (test accuracy in %)'

# Entries of result.json to compare, by the heading of their column
COLUMNS = {
    'test accuracy': 'test_accuracy',
    'development accuracy': 'development_accuracy',
}

# Of each configuration, as reported by the paper
REPORTED = {
    'qrnn': {'test_accuracy': 91.4},
    'qrnn-k4': {'test_accuracy': 91.1},
    'lstm': {'test_accuracy': 90.9},
}

# Name and digests of the reviews that these numbers belong to: numbered by a
# vocabulary of words that occur twice, and of all words
DATA = 'IMDb'
FINGERPRINTS = (
    'a3e2b7349aff1254ba4123109665a143e20148a2c6b964ce404ab6a919dbf24c',
    '6d4380cb960af0061d8a8d7da50cc42ae12a3823e5bdc402a29c19631fcfccc1')


# Entry of the log that the best epoch is chosen by, and what chooses it
BEST = 'validation/main/accuracy', max


def so_far(result, best):
    """What of the outcome is known of a run that is not finished.

    Args:
        result (dict): Its facts.
        best (dict): What the log has of its best epoch.

    """
    return {'development_accuracy': 100 * best['validation/main/accuracy']}


def differences(result):
    """What of a run is not as in the paper, or not known to be, in phrases.
    """
    phrases = []
    glove = result.get('glove')
    if result['settings']['layer'] == 'pqrnn':
        pass  # it has no word vectors
    elif glove is None:
        phrases.append('no word vectors to start from')
    else:
        phrases.append(
            'vectors of {:,} words, {:.1f} % of the running words to train '
            'on'.format(glove['vectors'], 100 * glove['coverage']))
    phrases.append('the paper does not give its number of epochs')
    return phrases
