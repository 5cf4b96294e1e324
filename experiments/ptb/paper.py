"""What the paper reports for this experiment."""

TITLE = 'Table 2: language model, Penn Treebank (word level)'

# Entries of result.json to compare, by the heading of their column
COLUMNS = {
    'validation perplexity': 'validation_perplexity',
    'test perplexity': 'test_perplexity',
}

# Of each configuration, as reported by the paper
REPORTED = {
    'qrnn-zoneout': {'validation_perplexity': 82.1, 'test_perplexity': 78.3},
    'qrnn': {'validation_perplexity': 82.9, 'test_perplexity': 79.9},
    'lstm': {'validation_perplexity': 85.7, 'test_perplexity': 82.0},
}

# Name and digests of the text that these numbers belong to
DATA = 'Penn Treebank'
FINGERPRINTS = (
    '43fef68838c4f397b381215d0e859a1c191cb1f44851cd201ff67b6e998ec58f',)


# Entry of the log that the best epoch is chosen by, and what chooses it
BEST = 'validation/main/loss', min


def so_far(result, best):
    """What of the outcome is known of a run that is not finished.

    Args:
        result (dict): Its facts.
        best (dict): What the log has of its best epoch.

    """
    return {'validation_perplexity': best['validation/perplexity']}


def differences(result):
    """What of a run is not as in the paper, or not known to be, in phrases.
    """
    if result['settings']['layer'] == 'lstm':
        return ["settings of our own, since the paper does not give its "
                "LSTM's"]
    return []
