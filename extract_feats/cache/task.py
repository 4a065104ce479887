"""What an experiment needs of the cache, and what came of it: a task per corpus and recipe."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corpora import Rejected
from extract_feats.base.recipe import Recipe
from extract_feats.cache.parallel import Done
from extract_feats.cache.read import channel_recipe, recipes_of
from extract_feats.cache.scan import Read, Scan, scan
from utils.audio.prepare import Sound
from utils.config import Config

SAMPLE = 2000  # clips per corpus whose channel is measured: enough for its quantiles


@dataclass(frozen=True, eq=False)
class Task:
    """The features of one recipe for the chosen clips of one corpus.

    Attributes:
        scan: the corpus.
        recipe: the features.
        listed: whether rejected.csv gets what cannot be extracted; not for the channel.
    """

    scan: Scan
    recipe: Recipe
    listed: bool = True


@dataclass
class Outcome:
    """What one task came to.

    Attributes:
        sounds: what the audio of each decoded file of the corpus says of itself.
        rejected: files that cannot be used.
        extracted: clips.
        cached: clips that were stored already.
        audio_seconds: of the clips that were extracted.
        wall_seconds: the task's share of the time.
        work_seconds: that workers spent on it.
    """

    sounds: dict[Path, Sound]
    rejected: list[Rejected]
    extracted: int = 0
    cached: int = 0
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0
    work_seconds: float = 0.0

    def count(self, done: Done, number: int, *, again: bool) -> None:
        """Count a file by the number of the task's store; again: another task of the same recipe has counted it."""
        features = done.features[number]
        if isinstance(features, str):
            self.rejected.append(Rejected(done.path, features))
        elif features is None or again:
            self.cached += 1
        else:
            self.extracted += 1
            self.audio_seconds += done.sound.seconds
            self.work_seconds += done.seconds[number]


def tasks_of(config: Config, limit: int | None = None, known: Read | None = None) -> list[Task]:
    """Return what an experiment needs of each of its corpora: its features, its augmented copies, the channel.

    Args: as ``scan``.
    """
    recipes, channel = recipes_of(config), channel_recipe(config)
    wanted = []
    for corpus in scan(config, limit, known):
        wanted += [Task(corpus, recipe) for recipe in recipes]
        wanted.append(channel_task(corpus, channel))
    return wanted


def channel_task(corpus: Scan, recipe: Recipe) -> Task:
    """Return the task that measures the channel of a corpus's clips, of ``SAMPLE`` at most."""
    number = len(corpus.chosen)
    taken = np.random.default_rng(0).permutation(number)[:SAMPLE]  # the same ones in every call
    return Task(replace(corpus, chosen=[corpus.chosen[row] for row in sorted(taken)]), recipe, listed=False)


def last_line(task: Task, outcome: Outcome) -> str:
    """Return what a task came to, in one line."""
    corpus = task.scan
    realtime = f", {outcome.audio_seconds / outcome.wall_seconds:.0f}x realtime" if outcome.extracted else ""
    return (
        f"{corpus.label} {task.recipe.label}: {len(corpus.chosen)} clips, {outcome.extracted} extracted, "
        f"{outcome.cached} cached, {len(corpus.rejected + outcome.rejected)} rejected, "
        f"{outcome.wall_seconds:.1f} s{realtime}"
    )
