"""Sentiment analysis of film reviews (the paper's Table 1)."""
