"""The character translation of the paper's Table 3, German to English."""
