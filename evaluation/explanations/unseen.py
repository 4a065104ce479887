"""Models with clips that they were not trained on: what explanations are made of."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.splits.folds import draw_folds, holdout
from evaluation.training.fit import fit_fold
from models.classes import is_network, model_class
from models.common import EmotionModel
from utils.config import Config
from utils.dataset import Dataset

Progress = Callable[[int, int], None]  # called with the number done and the number to do


class ModelAndClips(NamedTuple):
    """A model and clips that it was not trained on."""

    model: EmotionModel
    data: Dataset


def shipped_model(folder: Path, config: Config, labels: Sequence[str]) -> EmotionModel:
    """Return the model of a checkpoint, in its own framework."""
    return model_class(config.model).load(folder, config.model, labels, normalise=config.normalise)


def models_and_clips(
    data: Dataset,
    config: Config,
    folder: Path,
    *,
    folds: int | None = None,
    report: Progress = lambda done, total: None,
) -> tuple[list[ModelAndClips], str]:
    """Return models with clips that they were not trained on, and which ones these are, in words.

    The shipped model was trained on all speakers except those under ``holdout``. Where no speaker is held out, the
    first folds are trained again, in the same way as before.

    Args:
        data: all clips.
        config: of the run.
        folder: the checkpoint.
        folds: how many to train again; None: all folds of an estimator, one fold of a network.
        report: called with folds trained and folds to train.
    """
    section = config.split.model_dump()
    _, held_out = holdout(data, section)
    if len(held_out) and folds is None:
        shipped = ModelAndClips(shipped_model(folder, config, data.labels), data[held_out])
        return [shipped], "the shipped model, on the held-out speakers"
    every = draw_folds(data, section, seed=config.seed)
    number = min(folds or (1 if is_network(config.model) else len(every)), len(every))
    parts = []
    for n, fold in enumerate(every[:number]):
        parts.append(ModelAndClips(fit_fold(data, config, fold, n)[0], data[fold.test]))
        report(n + 1, number)
    return parts, _which_folds(number, len(every))


def _which_folds(number: int, total: int) -> str:
    if number == 1:
        which, test_part = f"the model of fold 1 of {total}", "the test part of that fold"
    elif number == total:
        which, test_part = f"the models of all {total} folds", "the test part of its own fold"
    else:
        which, test_part = f"the models of folds 1 to {number} of {total}", "the test part of its own fold"
    each = "" if number == 1 else "each "
    return f"{which}, trained again, {each}on {test_part}: speakers or clips that it was not trained on"
