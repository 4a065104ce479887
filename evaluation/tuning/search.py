"""A hyper-parameter search: a config, the space of its settings, and the clips that it may see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.training.fit import fingerprint
from evaluation.tuning.held_out import search_config, set_test_speakers_aside
from evaluation.tuning.objective import Step, cross_validated_uar
from evaluation.tuning.space import Space, with_values
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError


@dataclass(frozen=True)
class Search:
    """What is searched, and on which clips.

    Attributes:
        base: the config as given.
        config: the same with its test speakers named.
        inner: the same as trials train it, on the folds of the search.
        space: which keys may take which values.
        data: recipe -> the clips that the search may see, under that recipe.
        recipe_of: config -> its key in ``data``.
    """

    base: Config
    config: Config
    inner: Config
    space: Space
    data: Mapping[str, Dataset]
    recipe_of: Callable[[Config], str]

    @classmethod
    def plan(
        cls,
        base: Config,
        space: Space,
        datasets: Mapping[str, Dataset],
        recipe_of: Callable[[Config], str],
        *,
        folds: int | None = None,
    ) -> "Search":
        """Set test speakers aside, and return the search on the clips of the others.

        Args:
            base: the config as given.
            space: which keys may take which values.
            datasets: recipe -> all clips; the same clips for each recipe of the space.
            recipe_of: config -> its key in ``datasets``.
            folds: of the search, by speaker; None for the config's own.

        Raises:
            ConfigError: data sets of other clips, speakers that are not known or too few.
        """
        first, *others = datasets.values()
        if any(data.ids.tolist() != first.ids.tolist() for data in others):
            raise ConfigError(f"{space.file}: the features were not extracted from the same clips; tune them singly.")
        config, visible = set_test_speakers_aside(first, base)
        inner = search_config(first[visible], config, folds)
        return cls(base, config, inner, space, {key: data[visible] for key, data in datasets.items()}, recipe_of)

    def uar(self, values: Mapping[str, Any], step: Step) -> float:
        """Return the UAR of cross-validation with these values of the config's keys; ``step`` as of ``objective``."""
        config = with_values(self.inner, values, self.space.file)
        return cross_validated_uar(self.data[self.recipe_of(config)], config, step=step)

    @property
    def identity(self) -> dict[str, Any]:
        """Return what makes it this search, part -> plain values; another search under its name is refused."""
        return {
            "the config": self.base.model_dump_json(),
            "the folds": self.inner.split.model_dump_json(),
            "the space": {key: repr(distribution) for key, distribution in self.space.distributions.items()},
            "the data": [fingerprint(data) for data in self.data.values()],
        }

    def describe(self) -> str:
        """Return on which clips it searches, and whom it does not see."""
        visible, split = next(iter(self.data.values())), self.inner.split
        held_out = ", ".join(map(str, self.config.split.holdout)) or "the official test part"
        folds = f"{split.folds} folds" if split.by in ("speaker", "random") else "folds"
        return (
            f"{self.config.name}: searching on {len(visible)} clips of {len(np.unique(visible.speakers))} speakers, "
            f"{folds} by {split.by};\n  never seen: {held_out}"
        )
