"""Shared code of the experiments: arguments, errors, snapshots, results."""
