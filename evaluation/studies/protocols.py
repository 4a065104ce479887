"""What a score depends on: one model tested on seen speakers, on unseen speakers, and on another corpus.

Many published figures are of the first kind, whether they say so or not. Users get the second or the third.
"""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from evaluation.leakage import record
from evaluation.leakage.rules import DISJOINT
from evaluation.pages import report
from evaluation.scores.metrics import uar_score
from evaluation.scores.significance import FEWEST, uar_interval
from evaluation.splits.folds import draw_folds
from evaluation.splits.groups import corpus_of
from evaluation.training.plan import Settings
from evaluation.training.run import Say, run_all
from evaluation.training.runs import run_of
from extract_feats.cache import read
from models.usage import Clips
from prediction.predictor import Predictor
from utils import cli, foreign_text
from utils import config as configs
from utils.config import Config, Split
from utils.dataset import Dataset, Frames
from utils.errors import ConfigError
from utils.text_table import text_table

FILE = "honesty.csv"  # named after train.py's option
MONOTONOUS = 0.75  # share of one answer from which the table mentions it
SEEN, UNSEEN, OTHER_CORPUS = "seen speakers", "unseen speakers", "another corpus"
MEANING = {
    SEEN: "Too high for new users: the test speakers are also in the training data.",
    UNSEEN: "What new speakers get, if they are recorded like this corpus.",
    OTHER_CORPUS: "What new speakers get if room, microphone, language and actors change as well.",
}
LONGEST = 22  # letters of a protocol in the printed table
WIDEST = 80  # columns of a terminal


@dataclass(frozen=True)
class Row:
    """One row of the table; the fields are the columns of honesty.csv.

    Attributes:
        tested_on: SEEN, UNSEEN or OTHER_CORPUS.
        protocol: how the clips were divided, e.g. "speaker, 5 folds".
        run: name of the run.
        n_clips: clips tested.
        n_speakers: known speakers among them.
        uar: unweighted average recall, 0 to 1.
        uar_lo: lower end of its 95 % interval over speakers.
        uar_hi: upper end.
        informative: whether there are enough speakers for an interval.
        audit: verdict of the leakage audit.
        meaning: what the row says, in a sentence.
    """

    tested_on: str
    protocol: str
    run: str
    n_clips: int
    n_speakers: int
    uar: float
    uar_lo: float
    uar_hi: float
    informative: bool
    audit: str
    meaning: str


COLUMNS = tuple(field.name for field in fields(Row))


def check(config: Config) -> None:
    """Refuse a config that cannot be compared with itself on seen speakers.

    Raises:
        ConfigError: an ensemble, or a config whose own folds do not keep speakers apart.
    """
    if config.members:
        raise ConfigError(f"{config.name}: --honesty takes a single model. Give the config of a member.")
    if config.split.by not in DISJOINT:
        raise ConfigError(
            f"{config.name}: --honesty needs folds that keep speakers apart, and split: by {config.split.by} promises "
            "none. Give --set split.by=speaker."
        )


def with_random_folds(config: Config, data: Dataset) -> Config:
    """Return the config as NAME.dependent, with random folds, stratified by class: as many, of the same clips.

    Raises:
        ConfigError: what ``check`` refuses.
    """
    check(config)
    number = len(draw_folds(data, config.split.model_dump(), seed=config.seed))
    split = Split(by="random", folds=number, holdout=config.split.holdout)
    return config.model_copy(update={"name": f"{config.name}.dependent", "split": split})


def on_other_corpus(config: Config, other: Config, labels: Sequence[str]) -> Config:
    """Return a config that reads the clips of ``other`` with the features and labels of ``config``.

    Args:
        config: of the model: features, clip, rate.
        other: its corpora, merge and drop are taken.
        labels: of the model, in its order.
    """
    clips = {key: getattr(other, key) for key in ("corpora", "merge", "drop")}
    return config.model_copy(update=clips | {"name": other.name, "labels": list(labels), "augment": []})


def run_row(folder: Path, tested_on: str) -> Row:
    """Return the row of a finished run, read from its metrics.json.

    Args:
        folder: checkpoint of the run.
        tested_on: SEEN or UNSEEN.
    """
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf8"))
    protocol = metrics["protocol"]
    listed = protocol["by"] == "listed" and isinstance(protocol["folds"], str)
    lo, hi = metrics["uar_ci95"]
    return Row(
        tested_on=tested_on,
        protocol=f"{protocol['folds'] if listed else protocol['by']}, {protocol['n_folds']} folds",
        run=metrics["name"],
        n_clips=metrics["n_clips"],
        n_speakers=metrics["n_speakers"],
        uar=metrics["uar"],
        uar_lo=lo,
        uar_hi=hi,
        informative=metrics["uar_ci95_informative"],
        audit=metrics["audit"]["verdict"],
        meaning=MEANING[tested_on] + _trial(protocol["limit"]),
    )


def _trial(limit: int | None) -> str:
    return f" A TRIAL on {limit} clips per class." if limit else ""


def other_corpus_row(folder: Path, trained: Dataset, other: Dataset, *, seed: int, limit: int | None = None) -> Row:
    """Return the row of a run's shipped model on another corpus; recordings in its training data are left out.

    Args:
        folder: checkpoint of the run.
        trained: the clips of the run.
        other: the clips of the other corpus, with the same features and labels.
        seed: of the bootstrap.
        limit: clips per class, if this is a trial.

    Raises:
        ConfigError: a corpus that is in the training data.
    """
    seen, new = set(corpus_of(trained).tolist()), set(corpus_of(other).tolist())
    if seen & new:
        raise ConfigError(f"--other: {', '.join(sorted(seen & new))} is what the model is trained on. Give another.")
    part = other[~np.isin(other.digests, trained.digests)]
    clips = part.features.clips if isinstance(part.features, Frames) else list(part.features)
    predicted = Predictor(folder).probabilities(clips).argmax(axis=1)
    interval = uar_interval(part.truth, predicted, part.speakers, len(part.labels), seed=seed)
    return Row(
        tested_on=OTHER_CORPUS,
        protocol=f"all of {', '.join(sorted(new))}",
        run=folder.name,
        n_clips=len(part),
        n_speakers=len(set(part.speakers.tolist()) - {""}),
        uar=uar_score(part.truth, predicted, len(part.labels)),
        uar_lo=interval.lo,
        uar_hi=interval.hi,
        informative=interval.informative,
        audit=_verdict(record.training_clips(folder), part),
        meaning=MEANING[OTHER_CORPUS] + _monotony(predicted, part.labels) + _trial(limit),
    )


def _monotony(predicted: np.ndarray, labels: Sequence[str]) -> str:
    """Return a sentence on a model that gives nearly always the same answer, "" on another."""
    share = np.bincount(predicted, minlength=len(labels)) / len(predicted)
    return f" It calls {share.max():.0%} of them {labels[share.argmax()]}." if share.max() > MONOTONOUS else ""


def _verdict(training: Clips, part: Dataset) -> str:
    """Return whether these clips or their speakers are among the training clips of the shipped model."""
    if "" in training.ids:
        return "not audited"
    seen = np.isin(part.digests, training.digests)
    seen |= np.isin(part.speakers, training.speakers[training.speakers != ""])
    return "leaks" if seen.any() else "clean"


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", newline="", encoding="utf8") as file:
        foreign_text.write_records(file, COLUMNS, (asdict(row) for row in rows))


def lines(rows: Sequence[Row], labels: Sequence[str]) -> list[str]:
    """Return the table with the meaning of each row below it, 80 columns."""
    header = ("tested on", "protocol", "clips", "speakers", "UAR", "95 % interval")
    table = text_table(header, map(_cells, rows), left=(0, 1, 5))
    out = [f"{rows[-1].run}, {len(labels)} emotions, guessing gives {1 / len(labels):.3f}", table[0]]
    for row, line in zip(rows, table[1:], strict=True):
        out += [line, *textwrap.wrap(row.meaning, WIDEST, initial_indent="  ", subsequent_indent="  ")]
        if row.audit in ("leaks", "not audited"):
            out.append(f"  Audit: {row.audit}. See python -m evaluation.audit.")
    if not all(row.informative for row in rows):
        out.append(f"?: an interval over fewer than {FEWEST} speakers means little")
    return out


def _cells(row: Row) -> list[str]:
    interval = f"[{row.uar_lo:.3f}, {row.uar_hi:.3f}]" + ("" if row.informative else "?")
    counts = (str(row.n_clips), str(row.n_speakers))
    return [row.tested_on, row.protocol[:LONGEST], *counts, f"{row.uar:.3f}", interval]


def compare_protocols(settings: Settings, other: str | None, say: Say) -> list[Row]:
    """Train one config on seen and on unseen speakers, test it on another corpus, and print the table.

    Args:
        settings: of the call, with one config.
        other: path of the config whose corpora, merge and drop are tested on, or None.
        say: prints.

    Raises:
        ConfigError: what ``check`` refuses, or missing features.
    """
    config = configs.read(settings.config[0], list(settings.set))
    check(config)
    command = cli.command("preprocess.py", settings)
    data = read.dataset(config, settings.features, command=command, limit=settings.limit)
    other_data = _other_clips(config, other, data.labels, settings) if other else None
    stated = {SEEN: with_random_folds(config, data), UNSEEN: config}
    runs = {tested_on: run_of(one, data, settings.checkpoints) for tested_on, one in stated.items()}
    run_all(list(runs.values()), settings, say)
    rows = [run_row(run.folder, tested_on) for tested_on, run in runs.items()]
    folder = runs[UNSEEN].folder
    if other_data is not None:
        rows.append(other_corpus_row(folder, data, other_data, seed=config.seed, limit=settings.limit))
    write(rows, folder / FILE)
    report.refresh(folder)
    say("\n".join(lines(rows, data.labels)))
    return rows


def _other_clips(config: Config, other: str, labels: Sequence[str], settings: Settings) -> Dataset:
    """Return the clips of another config under this one's features; an error names the command that extracts them."""
    combined = on_other_corpus(config, configs.read(other), labels)
    recipe = {key: value for key, value in combined.model_dump().items() if key in ("rate", "clip", "features")}
    overrides = [f"{key}={json.dumps(value)}" for key, value in recipe.items()]
    command = cli.command("preprocess.py", settings, config=[other], set=overrides)
    return read.dataset(combined, settings.features, command=command, limit=settings.limit)
