"""The honesty table: one model asked three ways, by speakers it knows, by strangers, and by another corpus.

The first is what many published figures are, said or not; the second and third are what users get.
"""

import csv
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.leakage import record as audit_record
from evaluation.leakage.rules import DISJOINT
from evaluation.scores import metrics
from evaluation.scores import significance as statistics
from evaluation.splits.folds import draw_folds
from evaluation.splits.groups import corpus_of
from models.usage import Clips
from prediction.predictor import Predictor
from utils.config import Config, Split
from utils.dataset import Dataset, Frames
from utils.errors import ConfigError

COLUMNS = (
    "tested_on", "protocol", "run", "n_clips", "n_speakers", "uar", "uar_lo", "uar_hi", "informative", "audit",
    "meaning",
)  # fmt: skip
FILE = "honesty.csv"
MONOTONOUS = 0.75  # share of one answer from which it is said
KNOWN, STRANGERS, CORPUS = "known speakers", "strangers", "another corpus"
MEANING = {
    KNOWN: "Test speakers are also trained on. It flatters: your users are not among them.",
    STRANGERS: "What people get whom the model never heard, if recorded like this corpus.",
    CORPUS: "What is left when room, microphone, language and actors change as well.",
}


def dependent(config: Config, data: Dataset) -> Config:
    """Return the config with as many folds of the same clips, dealt at random and by class: NAME.dependent.

    Raises:
        ConfigError: an ensemble, or a config whose own folds do not keep speakers apart.
    """
    if config.members:
        raise ConfigError(f"{config.name}: --honesty takes a single model. Give the config of a member.")
    if config.split.by not in DISJOINT:
        raise ConfigError(
            f"{config.name}: --honesty compares with folds of strangers, and split: by {config.split.by} promises "
            "none. Give --set split.by=speaker."
        )
    folds = len(draw_folds(data, config.split.model_dump(), seed=config.seed))
    split = Split(by="random", folds=folds, holdout=config.split.holdout)
    return config.model_copy(update={"name": f"{config.name}.dependent", "split": split})


def elsewhere(config: Config, other: Config, labels: Sequence[str]) -> Config:
    """Return what reads another config's clips as this one's: its corpora, merge and drop, under these features."""
    kept = {key: getattr(other, key) for key in ("corpora", "merge", "drop")}
    return config.model_copy(update=kept | {"name": other.name, "labels": list(labels), "augment": []})


def row(folder: Path, tested_on: str) -> dict[str, Any]:
    """Return the table's row of a finished run."""
    found = json.loads((folder / "metrics.json").read_text(encoding="utf8"))
    stated = found["protocol"]
    how = stated["folds"] if stated["by"] == "listed" and isinstance(stated["folds"], str) else stated["by"]
    kept = {key: found[key] for key in ("n_clips", "n_speakers", "uar")}
    lo, hi = found["uar_ci95"]
    return kept | {
        "tested_on": tested_on, "protocol": f"{how}, {stated['n_folds']} folds", "run": found["name"],
        "uar_lo": lo, "uar_hi": hi, "informative": found["uar_ci95_informative"],
        "audit": found["audit"]["verdict"], "meaning": MEANING[tested_on] + _trial(stated["limit"]),
    }  # fmt: skip


def _trial(limit: int | None) -> str:
    return f" A TRIAL on {limit} clips a class." if limit else ""


def corpus_row(
    folder: Path, trained: Dataset, other: Dataset, *, seed: int, limit: int | None = None
) -> dict[str, Any]:
    """Return the row of a run's shipped model on another corpus; recordings it was trained on are left out.

    Args:
        folder: of the run.
        trained, other: the clips of the run, and of the other corpus.
        seed: of the bootstrap.
        limit: clips a class, if this is a trial.

    Raises:
        ConfigError: a corpus that it was trained on.
    """
    heard, new = set(corpus_of(trained).tolist()), set(corpus_of(other).tolist())
    if heard & new:
        raise ConfigError(f"--other: {', '.join(sorted(heard & new))} is what the model is trained on. Give another.")
    part = other[~np.isin(other.digests, trained.digests)]
    clips = part.features.clips if isinstance(part.features, Frames) else list(part.features)
    predicted = Predictor(folder).probabilities(clips).argmax(axis=1)
    classes = len(part.labels)
    answers = np.bincount(predicted, minlength=classes) / len(part)
    often = answers.max() > MONOTONOUS
    said = f" It calls {answers.max():.0%} of them {part.labels[answers.argmax()]}." if often else ""
    interval = statistics.uar_interval(part.truth, predicted, part.speakers, classes, seed=seed)
    return {
        "tested_on": CORPUS, "protocol": f"all of {', '.join(sorted(new))}", "run": folder.name, "n_clips": len(part),
        "n_speakers": len(set(part.speakers.tolist()) - {""}),
        "uar": metrics.uar_score(part.truth, predicted, classes),
        "uar_lo": interval.lo, "uar_hi": interval.hi, "informative": interval.informative,
        "audit": _verdict(audit_record.heard(folder), part), "meaning": MEANING[CORPUS] + said + _trial(limit),
    }  # fmt: skip


def _verdict(heard: Clips, part: Dataset) -> str:
    """What the record of the shipped model says of these clips."""
    if "" in heard.ids:
        return "not audited"
    known = np.isin(part.digests, heard.digests) | np.isin(part.speakers, heard.speakers[heard.speakers != ""])
    return "leaks" if known.any() else "clean"


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def lines(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[str]:
    """Return the table with what each row means, 80 columns."""
    title = f"{rows[-1]['run']}, {len(labels)} emotions, guessing gives {1 / len(labels):.3f}"
    out = [title, f"{'tested on':<16}{'protocol':<23}clips  speakers    UAR  95 % interval"]
    for found in rows:
        interval = f"[{found['uar_lo']:.3f}, {found['uar_hi']:.3f}]" + ("" if found["informative"] else " ?")
        counts = f"{found['n_clips']:5d}{found['n_speakers']:10d}"
        out.append(f"{found['tested_on']:<16}{found['protocol'][:22]:<23}{counts}  {found['uar']:.3f}  {interval}")
        out += textwrap.wrap(found["meaning"], 80, initial_indent="  ", subsequent_indent="  ")
        if found["audit"] in ("leaks", "not audited"):
            out.append(f"  Audit: {found['audit']}. See python -m evaluation.audit.")
    if not all(found["informative"] for found in rows):
        out.append(f"?: over fewer than {statistics.FEWEST} speakers an interval means little")
    return out
