"""Augmentation: each plug-in file makes other training clips out of a clip. Only training clips are ever changed.

``ON`` says what a file works on. "frames", or "either" where vectors can be changed too: ``augment(clips, targets,
rng, *, ...)`` runs while a network trains, anew every epoch, and nothing is stored. It takes clips scaled to mean 0
and deviation 1, a list of (frames, dims) or (dims,) float32, and targets (clips, classes), and returns both; what it
was given stays as it was.

"audio": ``augment(wave, rate, rng, *, ...)`` takes a mono wave (n,) float32 and returns another at the same rate.
preprocess.py stores the features of ``copies`` such waves per clip (``augmentation.base.variants``). A ``Range``
[low, high] is drawn from evenly; the optional constant ``LIMITS`` says what it may span, and ``VERSION`` is raised when
the same arguments would give another wave.
"""
