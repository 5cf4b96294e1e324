"""What the paper reports for this experiment."""

TITLE = 'Table 3: German-English translation, IWSLT (characters)'

# Entries of result.json to compare, by the heading of their column
COLUMNS = {
    'training pairs': 'training_pairs',
    'BLEU': 'test_bleu',
    'development perplexity': 'validation_perplexity',
}

# Of each configuration, as reported by the paper
REPORTED = {
    'qrnn': {'training_pairs': 209772, 'test_bleu': 19.41},
    'lstm': {'training_pairs': 209772, 'test_bleu': 16.53},
}

# Name and digests of the test part that these numbers belong to
DATA = 'TED.tst2014'
FINGERPRINTS = (
    'ddd82264abb440bc04bfaf83aba0f6454f7fdbe7c2f3bbb23834e9b12708e47a',)


# Entry of the log that the best epoch is chosen by, and what chooses it
BEST = 'validation/main/loss', min


def so_far(result, best):
    """What of the outcome is known of a run that is not finished.

    Args:
        result (dict): Its facts.
        best (dict): What the log has of its best epoch.

    """
    return {'training_pairs': result['data']['pairs']['train'],
            'validation_perplexity': best['validation/perplexity']}


def differences(result):
    """What of a run is not as in the paper, or not known to be, in phrases.
    """
    n_pairs = result['data']['pairs']['train']
    paper = REPORTED['qrnn']['training_pairs']
    if n_pairs == paper:
        return []
    return ['{:,} training pairs, {:.0f} % of the paper\'s {:,}, from '
            '{}'.format(n_pairs, 100 * n_pairs / paper, paper,
                        ', '.join(result['data']['sets']['train']))]
