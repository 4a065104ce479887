"""Corpora: each plug-in file turns one corpus on disk into utterances."""

from corpora.base.labels import limit, order, relabel
from corpora.base.read import find, published, read
from corpora.base.utterance import EMOTIONS, Published, Rejected, Utterance, walk

__all__ = [
    "EMOTIONS", "Published", "Rejected", "Utterance",
    "find", "limit", "order", "published", "read", "relabel", "walk",
]  # fmt: skip
