"""The language model of the paper's Table 2, on the Penn Treebank."""
