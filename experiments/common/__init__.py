"""What the experiments share: arguments, errors, snapshots, results."""
