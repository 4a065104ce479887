"""One experiment: every fold trained and scored, resumable, then the model that is shipped."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from evaluation.leakage import record as audit_record
from evaluation.scores import calibration, metrics
from evaluation.splits import folds as splits
from models.classes import model_class
from models.common import EmotionModel
from models.usage import Clips
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Features, Frames
from utils.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

ENROLMENT = {"enrolment_5": 5, "enrolment_20": 20}  # unlabelled clips a test speaker gives first
DRAWS = 5  # random choices of those clips; their predictions are pooled
Report = Callable[[Mapping[str, Any]], None]


@dataclass
class Outcome:
    """What cross-validation found, rows in the order of the data; clips never tested have fold -1.

    Attributes:
        probabilities: (n, classes), out of fold, nothing known of the speaker; calibrated, as shipped.
        fold: (n,) number of the fold that tested each clip, from 0.
        by_information: UAR by what is known of the test speaker; None where the model takes no such thing.
        folds: the parts.
        validation: kind of validation: "speakers", "clips", "official", or "none".
        best_epochs: a network's, one a fold.
        histories: curves, one a fold and run.
        seconds: wall time of training and scoring, that of earlier, stopped calls included.
        marks: what an ensemble adds to the protocol.
        uncalibrated: a network's probabilities (n, classes) before its temperature; None of an estimator.
        calibration: the temperatures and what they change, for metrics.json; None of an estimator.
        used: what each fold's model was given, for the audit.
    """

    probabilities: np.ndarray
    fold: np.ndarray
    by_information: dict[str, float | None]
    folds: list[splits.Fold]
    validation: str
    best_epochs: list[int] = field(default_factory=list)
    histories: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    marks: dict[str, Any] = field(default_factory=dict)
    uncalibrated: np.ndarray | None = None
    calibration: dict[str, Any] | None = None
    used: list["pa.Table"] = field(default_factory=list)

    @property
    def temperature(self) -> float:
        """Return what the shipped model's probabilities are calibrated by."""
        return self.calibration["temperature"] if self.calibration else 1.0


def fingerprint(data: Dataset, recipe: str) -> str:
    """Return a digest over which clips, labels, speakers and features an experiment sees."""
    digest = hashlib.blake2b(recipe.encode(), digest_size=16)
    for column in (data.ids, data.speakers, data.digests, np.array(data.labels)[data.truth]):
        digest.update("\n".join(column.tolist()).encode())
    return digest.hexdigest()


def start(config: Config) -> str:
    """Return a digest of the weights that training starts from, "" where it starts afresh or they are gone."""
    file = Path(config.init or "", "model.keras")
    return f"\ninit {hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()}" if file.is_file() else ""


def check(data: Dataset, config: Config) -> None:
    """Refuse what cannot be learned.

    Raises:
        ConfigError: fewer than two classes, or speaker normalisation where speakers are not known.
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


def check_network_keys(config: Config, frames: bool) -> None:
    """Refuse keys that only a network, or only frames, can make sense of.

    Raises:
        ConfigError: init, freeze or augmentation of features with an estimator, or that of frames on vectors.
    """
    name = config.model["name"]
    steps = config.augmentation(audio=False)
    keys = [f"augment: {step['name']}" for step in steps]
    keys += [key for key in ("init", "freeze") if getattr(config, key)]
    if keys and not is_network(config):
        raise ConfigError(f"{config.name}: {keys[0]} works while a network trains; {name} has no epochs.")
    for step in steps:
        if plugins.get("augment", step["name"]).constants["ON"] == "frames" and not frames:
            raise ConfigError(f"{config.name}: {step['name']} changes frames over time, and the features are vectors.")


def is_network(config: Config) -> bool:
    return model_class(config.model).file == "model.keras"


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
    report: Report = lambda line: None,
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
        return model.fit(data, copies=copies)
    train = config.train if epochs is None else config.train.model_copy(update={"epochs": epochs})
    return model.fit(
        data, validation, copies=copies, train=train, augment=config.augmentation(audio=False), init=config.init,
        freeze=config.freeze, state=state, report=report,
    )  # fmt: skip


def fit_fold(
    data: Dataset,
    config: Config,
    fold: splits.Fold,
    number: int,
    *,
    state: Path | None = None,
    report: Report = lambda line: None,
) -> tuple[EmotionModel, str]:
    """Return the model of one fold, counted from 0, and its kind of validation; the fold's test part is not read."""
    rows, held, kind = fold.train, None, "none"
    if is_network(config):
        rows, held_rows, kind = splits.validation(data, fold.train, config.split.by, seed=config.seed)
        held = data[held_rows]
    return fit(data[rows], held, config, seed=config.seed + 100 * number, state=state, report=report), kind


def cross_validate(data: Dataset, config: Config, *, key: str, work: Path, report: Report) -> Outcome:
    """Return the out-of-fold predictions of an experiment; what ``work`` holds of an earlier, stopped call is kept.

    Args:
        data: all clips; those held out are in no fold.
        key: what the work belongs to; anything kept under another key is thrown away.
        work: folder for finished folds and the epoch a network stands at.
        report: called with {fold, folds, ...} as things progress.

    Raises:
        ConfigError: what ``check`` and ``splits.folds`` refuse.
    """
    check(data, config)
    folds = splits.folds(data, config.split.model_dump(), seed=config.seed)
    started, before = time.monotonic(), run_folds(data, config, folds, key=key, work=work, report=report)
    return _pool(data, config, folds, work, before, time.monotonic() - started)


def run_folds(
    data: Dataset, config: Config, folds: Sequence[splits.Fold], *, key: str, work: Path, report: Report
) -> set[int]:
    """Train and test every fold that ``work`` does not hold yet; return the numbers of those it held.

    ``work/fold-N.npz`` has the test part's probabilities as "none", and with speaker normalisation what
    ``informed`` gives.
    """
    claim(work, key)
    before = {n for n in range(len(folds)) if (work / f"fold-{n}.npz").exists()}
    jobs = 1 if is_network(config) else min(os.cpu_count() or 1, len(folds))
    with threadpool_limits(1 if jobs > 1 else None):  # as many folds as cores, one thread each
        Parallel(n_jobs=jobs, prefer="threads")(
            delayed(_fold)(data, config, folds, number, work, report) for number in range(len(folds))
        )
    return before


def claim(work: Path, key: str) -> None:
    """Make ``work`` the folder of this key; anything kept there under another is thrown away."""
    work.mkdir(parents=True, exist_ok=True)
    owner = work / "key"
    if not owner.exists() or owner.read_text() != key:
        shutil.rmtree(work)
        work.mkdir()
        owner.write_text(key)


def _fold(data: Dataset, config: Config, folds: list, number: int, work: Path, report: Report) -> None:
    done = work / f"fold-{number}.npz"
    here = {"fold": number + 1, "folds": len(folds), "name": folds[number].name}
    record = work / f"used-{number}.parquet"
    if done.exists() and record.exists():
        report(here | {"cached": True})
        return
    started, fold = time.monotonic(), folds[number]
    state = work / f"state-{number}"
    state.mkdir(exist_ok=True)
    model, kind = fit_fold(data, config, fold, number, state=state, report=lambda line: report(here | line))
    test = data[fold.test]
    model.usage.add("test", test)
    audit_record.write(record, [audit_record.fitted(model, data, number + 1)])
    arrays = {"none": model.probabilities(test.features)}
    if config.normalise == "speaker":
        arrays |= informed(model, test, np.random.default_rng([config.seed, number]))
    progress = {
        "validation": kind, "seconds": time.monotonic() - started,
        "best_epoch": getattr(model, "best_epoch", None), "histories": getattr(model, "histories", []),
    }  # fmt: skip
    aside = work / f"fold-{number}.part.npz"
    np.savez(aside, progress=np.array(json.dumps(progress)), **arrays)
    os.replace(aside, done)
    shutil.rmtree(state)
    recall = metrics.uar(metrics.confusion(test.truth, arrays["none"].argmax(axis=1), len(data.labels)))
    report(here | {"uar": float(recall)})


class Adaptable(Protocol):
    """What ``informed`` asks of a model: EmotionModel has it, and a shipped graph behind ``studies.other_clips``."""

    def probabilities(self, features: Features, statistics: Any = None) -> np.ndarray: ...

    def speaker_statistics(self, data: Dataset) -> Any: ...

    def enrolled_statistics(self, features: Features, clips: int) -> Any: ...


def informed(model: Adaptable, test: Dataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return predictions (m,) where all clips of a test speaker are known, unlabelled, and (draws, m) after enrolment.

    -1 marks the clips that were given for enrolment: they are not scored in that draw.
    """
    found = {"transductive": model.probabilities(test.features, model.speaker_statistics(test)).argmax(axis=1)}
    for name, clips in ENROLMENT.items():
        found[name] = np.full((DRAWS, len(test)), -1)
        for speaker in np.unique(test.speakers):
            rows = np.flatnonzero(test.speakers == speaker)
            for draw in range(DRAWS):
                given = rng.permutation(len(rows))[: min(clips, len(rows) - 1)]
                if not len(given):
                    continue  # a speaker with one clip has none left to score
                asked = np.delete(rows, given)
                statistics = model.enrolled_statistics(test.features[rows[given]], len(asked))
                found[name][draw, asked] = model.probabilities(test.features[asked], statistics).argmax(axis=1)
    return found


def pooled(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the confusion matrix of predictions (m,) or (draws, m); those that are -1 are not counted."""
    predicted = np.atleast_2d(predicted)
    scored = predicted >= 0
    return metrics.confusion(np.broadcast_to(truth, predicted.shape)[scored], predicted[scored], n_classes)


def _pool(data: Dataset, config: Config, folds: list, work: Path, before: set[int], seconds: float) -> Outcome:
    """Bring the folds together; ``before``: those an earlier call had finished, ``seconds``: what this one took."""
    n_classes = len(data.labels)
    outcome = Outcome(np.zeros((len(data), n_classes), np.float32), np.full(len(data), -1), {}, folds, "none")
    outcome.seconds = seconds
    counts = {name: np.zeros((n_classes, n_classes), np.int64) for name in (*ENROLMENT, "transductive")}
    for number, fold in enumerate(folds):
        with np.load(work / f"fold-{number}.npz") as saved:
            progress = json.loads(str(saved["progress"]))
            outcome.probabilities[fold.test] = saved["none"]
            outcome.used.append(audit_record.read(work / f"used-{number}.parquet"))
            outcome.fold[fold.test] = number
            for name in set(counts) & set(saved):
                counts[name] += pooled(data.truth[fold.test], saved[name], n_classes)
        outcome.validation = progress["validation"]
        outcome.seconds += progress["seconds"] if number in before else 0
        outcome.histories += progress["histories"]
        outcome.best_epochs += [progress["best_epoch"]] if progress["best_epoch"] else []
    tested = outcome.fold >= 0
    if is_network(config):
        outcome.uncalibrated = outcome.probabilities
        outcome.used += [
            audit_record.rows(n + 1, "temperature", Clips.of(data[tested & (outcome.fold != n)]))
            for n in range(len(folds))
        ]
        found = calibration.cross_fitted(data.truth, outcome.uncalibrated, outcome.fold)
        outcome.probabilities, outcome.calibration = found
    own = metrics.confusion(data.truth[tested], outcome.probabilities[tested].argmax(axis=1), n_classes)
    outcome.by_information = {"none": float(metrics.uar(own))} | {
        name: float(metrics.uar(count)) if count.any() else None for name, count in counts.items()
    }
    return outcome


def ship(data: Dataset, config: Config, outcome: Outcome, *, work: Path, report: Report) -> EmotionModel:
    """Return the model for use: fitted on every clip that is not held out.

    A network trains for the median of the folds' best epochs, since nobody is left to stop it by, and takes
    the temperature of the folds' predictions, since it has heard everybody.
    """
    rest, _ = splits.holdout(data, config.split.model_dump())
    epochs = max(1, round(float(np.median(outcome.best_epochs)))) if outcome.best_epochs else None
    state = work / "state-shipped"
    state.mkdir(exist_ok=True)
    here = {"fold": 0, "folds": len(outcome.folds), "name": "shipped"}
    model = fit(
        data[rest],
        None,
        config,
        seed=config.seed,
        state=state,
        epochs=epochs,
        report=lambda line: report(here | line),
    )
    model.temperature_ = outcome.temperature
    return model
