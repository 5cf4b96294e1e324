"""Character-level translation from German to English (Table 3)."""
