"""Fit a ranker to a dataset, with checkpoints and exact resume."""
