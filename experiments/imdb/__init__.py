"""Sentiment of film reviews, densely connected QRNN layers (Table 1)."""
