"""A small encoder of our own: a network that learns to imitate, frame by frame, the layers of a larger encoder.

No label is read, so any speech serves. ``python -m distillation`` writes the encoder
that the feature ``distilled`` reads.
"""
