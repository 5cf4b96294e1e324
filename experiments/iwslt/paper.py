"""What the paper reports for this experiment."""

TITLE = 'Table 3: German-English translation, IWSLT (characters)'

# Entries of result.json to compare, by the heading of their column
COLUMNS = {
    'training pairs': 'training_pairs',
    'BLEU': 'test_bleu',
}

# Of each configuration, as reported by the paper
REPORTED = {
    'qrnn': {'training_pairs': 209772, 'test_bleu': 19.41},
    'lstm': {'training_pairs': 209772, 'test_bleu': 16.53},
}

# Name and digest of the test part that these numbers belong to
DATA = 'TED.tst2014'
FINGERPRINT = (
    'ddd82264abb440bc04bfaf83aba0f6454f7fdbe7c2f3bbb23834e9b12708e47a')
