"""What the corpora of an experiment hold on disk, from file names and tables alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import corpora
from corpora import Rejected, Utterance
from extract_feats.cache.read import choose
from utils.config import Config
from utils.errors import ConfigError

Read = dict[str, tuple[list[Utterance], list[Rejected]]]


@dataclass(frozen=True)
class Scan:
    """One corpus of an experiment, as it is on disk.

    Attributes:
        entry: the corpus as the config states it.
        root: its folder.
        utterances: all of the corpus, under the corpus's own labels.
        chosen: what merge, drop and limit leave, under the experiment's labels.
        rejected: files that cannot be used, for their names.
    """

    entry: Mapping
    root: Path
    utterances: list[Utterance]
    chosen: list[Utterance]
    rejected: list[Rejected]

    @property
    def label(self) -> str:
        """Short name for people and files: the corpus's, or the folder's for the user's own."""
        return self.utterances[0].corpus


def scan(config: Config, limit: int | None = None, known: Read | None = None) -> list[Scan]:
    """Return what the experiment's corpora hold.

    Args:
        config: the experiment.
        limit: clips per class, for a trial.
        known: corpora that are read already, by entry; those that are not are added. Experiments can share it.

    Raises:
        DataError: a corpus is not there or nothing in it fits its grammar.
        ConfigError: merge, drop or labels name what is not there.
    """
    known = {} if known is None else known
    for entry in config.corpora:
        if str(entry) not in known:
            known[str(entry)] = corpora.read(entry, config.data_folder())
    read = [known[str(entry)] for entry in config.corpora]
    chosen, _ = choose(config, chain.from_iterable(utterances for utterances, _ in read), limit)
    by_id = {utterance.id: utterance for utterance in chosen}
    if len(by_id) < len(chosen):
        raise ConfigError(
            f"{config.name}: two of its corpora give clips the same ids; list each folder once, each with its own name."
        )
    scans = []
    for entry, (utterances, rejected) in zip(config.corpora, read, strict=True):
        some = [by_id[u.id] for u in utterances if u.id in by_id]
        scans.append(Scan(entry, corpora.find(entry, config.data_folder()), utterances, some, rejected))
    return scans
