"""Which folds of an experiment a study tests, and how its results are headed."""

from collections.abc import Sequence

from evaluation.checkpoint.protocol import Protocol
from evaluation.splits.folds import Fold, draw_folds
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError

NAMED = 3  # folds that a title names one by one; of more it says the number

Numbered = tuple[int, Fold]  # a fold and its number, from 0, which decides the seed of its model


def choose(data: Dataset, config: Config, numbers: Sequence[int] = ()) -> list[Numbered]:
    """Return folds of the config's split with their numbers from 0.

    Args:
        data: the clips of the experiment.
        config: the experiment.
        numbers: which folds, from 1; all if none is given.

    Raises:
        ConfigError: a number that the split does not have, and what ``evaluation.splits.folds`` refuses.
    """
    every = list(enumerate(draw_folds(data, config.split.model_dump(), seed=config.seed)))
    if numbers and max(numbers) > len(every):
        raise ConfigError(f"--folds {max(numbers)}: {config.name} has {len(every)}.")
    return [every[number - 1] for number in numbers] if numbers else every


def title(name: str, protocol: Protocol, n_clips: int, tested: Sequence[Numbered]) -> str:
    """Return what heads a study: name, kind of protocol, number of clips, folds, and what limits the result.

    Args:
        name: of the run.
        protocol: of the run.
        n_clips: clips tested.
        tested: the folds tested.
    """
    names = ", ".join(fold.name for _, fold in tested) if len(tested) <= NAMED else f"{len(tested)} folds"
    return f"{name}: {protocol.kind}, {n_clips} clips, {names}{protocol.caveats()}"
