"""Optimisers whose cost does not grow with the vocabulary."""
