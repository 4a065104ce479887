"""One fit: a config's model on a training part, balanced and augmented as the config says."""

import hashlib
from pathlib import Path

import numpy as np

from evaluation.checkpoint.outcome import Outcome
from evaluation.splits.folds import Fold, holdout, validation_rows
from evaluation.training.workspace import Workspace, silent
from models.classes import is_network, model_class
from models.common import EmotionModel, Report
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Frames
from utils.errors import ConfigError, DataError


def fingerprint(data: Dataset, start: str = "") -> str:
    """Return a digest of the clips, labels, speakers and features that a run sees, and of what it begins with.

    Args:
        data: its ``recipe`` stands for the settings of the features.
        start: ``initial_weights`` of the config, or the digests of an ensemble's members.
    """
    digest = hashlib.blake2b((data.recipe + start).encode(), digest_size=16)
    for column in (data.ids, data.speakers, data.digests, np.array(data.labels)[data.truth]):
        digest.update("\n".join(column.tolist()).encode())
    return digest.hexdigest()


def initial_weights(config: Config) -> str:
    """Return a digest of the weights that training begins with, "" if it has none or they are no longer there."""
    file = Path(config.init, "model.keras") if config.init else None
    if file is None or not file.is_file():
        return ""
    return f"\ninit {hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()}"


def check(data: Dataset, config: Config) -> None:
    """Refuse what cannot be learned.

    Raises:
        ConfigError: fewer than two classes, speaker normalisation where speakers are not known, arguments that an
            estimator does not take, or features that are not finite.
    """
    if len(data.labels) < 2:
        raise ConfigError(
            f"{config.name}: only {' '.join(data.labels)} is left, and a model needs two emotions. Mend merge or drop."
        )
    check_network_keys(config, isinstance(data.features, Frames))
    unknown = int((data.speakers == "").sum())
    if config.normalise == "speaker" and unknown:
        raise ConfigError(
            f"{config.name}: normalise: speaker, but {unknown} of {len(data)} clips have no speaker. "
            r"Give the folders corpus a pattern, speaker: '^(\w+?)_', or use normalise: global."
        )
    if config.members:  # an ensemble's were checked by their own runs
        return
    if not is_network(config.model):
        from models.estimator_check import check_estimator

        check_estimator(config.model)
    _need_finite(data, config)


def _need_finite(data: Dataset, config: Config) -> None:
    """Refuse features that are not finite; caches of older versions can hold some."""
    for features in (data.features, *data.variants):
        bad = [row for row, clip in enumerate(features) if not np.isfinite(clip).all()]
        if bad:
            others = f" and of {len(bad) - 1} more clips" if len(bad) > 1 else ""
            raise ConfigError(
                f"{config.name}: the {config.features['name']} features of {data.ids[bad[0]]}{others} are not finite. "
                "Mend or remove the recordings, remove the recipe's folder from the cache and run preprocess.py again."
            )


def check_network_keys(config: Config, frames: bool) -> None:
    """Refuse keys that only a network, or only frames, can make sense of.

    Raises:
        ConfigError: init, freeze or augmentation of features with an estimator, or that of frames on vectors.
    """
    name = config.model["name"]
    steps = config.augmentation(audio=False)
    keys = [f"augment: {step['name']}" for step in steps]
    keys += [key for key in ("init", "freeze") if getattr(config, key)]
    if keys and not is_network(config.model):
        raise ConfigError(f"{config.name}: {keys[0]} works while a network trains; {name} has no epochs.")
    for step in steps:
        if plugins.get("augment", step["name"]).constants["ON"] == "frames" and not frames:
            raise ConfigError(f"{config.name}: {step['name']} changes frames over time, and the features are vectors.")


def oversampled(data: Dataset, rng: np.random.Generator) -> Dataset:
    """Return a training part in which clips of the smaller classes come again, at random, until all are as large."""
    counts = np.bincount(data.truth)
    extra = [rng.choice(np.flatnonzero(data.truth == k), counts.max() - counts[k]) for k in np.unique(data.truth)]
    return data[np.concatenate([np.arange(len(data)), *extra])]


def fill_up(truth: np.ndarray, copies: Dataset, rng: np.random.Generator) -> Dataset:
    """Return as many copies, at random, as bring every class of ``truth`` up to the largest.

    Where a class has fewer copies than it lacks clips, all of them come again.
    """
    counts, chosen = np.bincount(truth), []
    for k in np.unique(truth):
        chosen.append(np.resize(rng.permutation(np.flatnonzero(copies.truth == k)), counts.max() - counts[k]))
    return copies[np.concatenate(chosen)]


def fit(
    data: Dataset,
    validation: Dataset | None,
    config: Config,
    *,
    seed: int,
    state: Path | None = None,
    report: Report = silent,
    epochs: int | None = None,
) -> EmotionModel:
    """Return the config's model, fitted on ``data``; ``epochs`` overrides the config's where there is no validation."""
    rng = np.random.default_rng(seed)
    model = model_class(config.model)(config.model, data.labels, normalise=config.normalise, seed=seed)
    model.usage.add("part", data)
    if config.balance == "oversample":
        data = oversampled(data, rng)
        model.usage.add("balance", data)
    copies = data.copies() if data.variants else None
    if config.balance == "augment":
        copies = fill_up(data.truth, copies, rng)
    if copies:
        model.usage.add("copies", copies)
    if model.file != "model.keras":
        return _fitted(model, data, copies, config)
    train = config.train if epochs is None else config.train.model_copy(update={"epochs": epochs})
    return model.fit(
        data, validation, copies=copies, train=train, augment=config.augmentation(audio=False), init=config.init,
        freeze=config.freeze, state=state, report=report,
    )  # fmt: skip


def _fitted(model: EmotionModel, data: Dataset, copies: Dataset | None, config: Config) -> EmotionModel:
    """Return a fitted estimator; what scikit-learn refuses, such as too few clips, is said in one line.

    Raises:
        DataError: the training part cannot be learned from.
    """
    try:
        model.fit(data, copies=copies)
        model.probabilities(data.features[:1])  # nearest neighbours refuse too few clips only when they are asked
    except ValueError as error:
        counts = np.bincount(data.truth, minlength=len(data.labels))
        listed = ", ".join(f"{label} {count}" for label, count in zip(data.labels, counts, strict=True))
        raise DataError(
            f"{config.name}: model {config.model['name']} cannot learn from a training part of {len(data)} clips "
            f"({listed}): {' '.join(str(error).split())[:200]} Give more clips per class, or another model."
        ) from error
    return model


def fit_fold(
    data: Dataset,
    config: Config,
    fold: Fold,
    number: int,
    *,
    state: Path | None = None,
    report: Report = silent,
) -> tuple[EmotionModel, str]:
    """Return the model of one fold, counted from 0, and its kind of validation; the fold's test part is not read."""
    rows, held, kind = fold.train, None, "none"
    if is_network(config.model):
        rows, held_rows, kind = validation_rows(data, fold.train, config.split.by, seed=config.seed)
        held = data[held_rows]
    return fit(data[rows], held, config, seed=config.seed + 100 * number, state=state, report=report), kind


def ship(data: Dataset, config: Config, outcome: Outcome, workspace: Workspace) -> EmotionModel:
    """Return the model for use: fitted on every clip that is not held out.

    A network trains for the median of the folds' best epochs, since no speaker is left to stop it by, and takes
    the temperature of the out-of-fold predictions, since it has learned from every speaker.
    """
    rest, _ = holdout(data, config.split.model_dump())
    epochs = max(1, round(float(np.median(outcome.best_epochs)))) if outcome.best_epochs else None
    shipped = {"fold": 0, "folds": len(outcome.folds), "name": "shipped"}
    model = fit(
        data[rest], None, config, seed=config.seed, state=workspace.state("shipped"), epochs=epochs,
        report=lambda line: workspace.report(shipped | line),
    )  # fmt: skip
    model.temperature_ = outcome.temperature
    return model
