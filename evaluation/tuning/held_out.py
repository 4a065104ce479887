"""Which speakers a search must not see, and on which folds of the others it is scored.

A setting chosen by a score makes that score too good, and cross-validation over all speakers chooses by the very
speakers that it then reports (Cawley & Talbot 2010, jmlr.org/papers/v11/cawley10a.html). So some speakers are set
aside before the first trial: those of ``split.holdout``, or about a fifth of them, women and men alike. The search
cross-validates on the other speakers only; ``train.py`` scores the held-out ones last, and that is the figure to
quote. With ``split: {by: official}`` the corpus's own test part takes their place.
"""

from typing import Any

import numpy as np

from evaluation.splits.folds import draw_folds, holdout
from evaluation.splits.groups import resolve, take_speakers
from utils.config import Config, Split
from utils.dataset import Dataset
from utils.errors import ConfigError

SHARE = 0.2  # of the speakers, set aside where the config names none
FOLDS = 5  # of the search, where the config's own folds are not between speakers


def set_test_speakers_aside(data: Dataset, config: Config) -> tuple[Config, np.ndarray]:
    """Return the config with its test speakers named in ``split.holdout``, and the indices the search may see.

    A config that names speakers in ``holdout``, or whose split is official, is not changed. Where speakers are set
    aside, listed folds lose them, and a number of folds is lowered to the number of speakers who are left.

    Raises:
        ConfigError: speakers are not known, or too few to set one aside.
    """
    split = config.split
    if split.by == "official":
        return config, draw_folds(data, split.model_dump(), seed=config.seed)[0].train
    if not split.holdout:
        if (data.speakers == "").any():
            raise ConfigError(
                f"{config.name}: tuning sets test speakers aside, but {(data.speakers == '').sum()} clips have no "
                r"speaker. Give the folders corpus a pattern, speaker: '^(\w+?)_'."
            )
        taken = take_speakers(data, SHARE, np.random.default_rng(config.seed))
        if not taken.any():
            raise ConfigError(
                f"{config.name}: tuning sets test speakers aside, but every class needs all {_count(data)} of them. "
                "Merge or drop labels."
            )
        held_out = np.unique(data.speakers[taken]).tolist()
        split = split.model_copy(update={"holdout": held_out, "folds": _folds_left(data, split, held_out)})
    return config.model_copy(update={"split": split}), holdout(data, split.model_dump())[0]


def _count(data: Dataset) -> int:
    return len(np.unique(data.speakers))


def _folds_left(data: Dataset, split: Split, held_out: list[str]) -> Any:
    if split.by == "speaker" and isinstance(split.folds, int):
        return min(split.folds, _count(data) - len(held_out))
    if isinstance(split.folds, list):
        lists = [
            [name for name in names if resolve(data, [[name]], "split.folds")[0][0] not in held_out]
            for names in split.folds
        ]
        return [names for names in lists if names]
    return split.folds


def search_config(visible: Dataset, config: Config, folds: int | None = None) -> Config:
    """Return the config with which the search trains on the clips it may see.

    Args:
        visible: those clips.
        config: with its test speakers named.
        folds: so many folds by speaker; None: the config's own folds, but 5 by speaker for random and official
            splits.
    """
    split = config.split.model_copy(update={"holdout": []})
    if folds or split.by in ("random", "official"):
        known = (visible.speakers != "").all()
        number = folds or min(FOLDS, _count(visible) if known else FOLDS)
        split = Split(by="speaker" if known else "random", folds=number)
    return config.model_copy(update={"split": split})
