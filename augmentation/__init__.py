"""Augmentation: each plug-in file changes a batch while a network trains, anew every epoch; nothing is stored.

``augment(clips, targets, rng, *, ...)`` takes clips scaled to mean 0 and deviation 1, a list of (frames, dims) or
(dims,) float32, and targets (clips, classes), and returns both; what it was given stays as it was. ``ON`` is
"frames", or "either" where vectors can be augmented too. Only training clips ever get here.
"""
