"""What the paper reports for this experiment."""

TITLE = 'Table 1: sentiment, IMDb (test accuracy in %)'

# Entries of result.json to compare, by the heading of their column
COLUMNS = {
    'test accuracy': 'test_accuracy',
}

# Of each configuration, as reported by the paper
REPORTED = {
    'qrnn': {'test_accuracy': 91.4},
    'qrnn-k4': {'test_accuracy': 91.1},
    'lstm': {'test_accuracy': 90.9},
}

# Name and digest of the reviews that these numbers belong to
DATA = 'IMDb'
FINGERPRINT = (
    'a3e2b7349aff1254ba4123109665a143e20148a2c6b964ce404ab6a919dbf24c')
