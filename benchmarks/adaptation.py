"""What a few unlabelled clips of a speaker change: UAR and label sets without them, with them, and with the wrong ones.

    python benchmarks/adaptation.py checkpoints/ravdess_whisper checkpoints/corpora_whisper ...

reads the out-of-fold predictions of finished runs. For each run, and for each corpus of a run by corpus, it prints the
UAR of single clips; with 5, 20 and all unlabelled clips of the speaker (those given are not scored, but for "all");
with 20 that are said to be mixed (``predict.py --mixed``); the worst change where all 8 clips given show one emotion,
and the same if they are wrongly said to be mixed. The last columns are the share of the clips whose label set at 90 %
holds the true label, and the labels per set, without clips and with 20. Thresholds and statistics come from the other
folds.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluation.checkpoint import finished, predictions
from evaluation.scores import conformal
from evaluation.scores.metrics import uar_score
from models.speaker_offset import score_statistics, shifted, speaker_offset

DRAWS, ONE_EMOTION, ASKED = 5, 8, 0.9
COLUMNS = (
    "run", "single", "5", "20", "all", "20, mixed", "worst with one emotion", "said to be mixed", "sets at 90 %",
    "after 20",
)  # fmt: skip


class Fold:
    """The tested clips of one fold, and what the other folds teach about scores."""

    def __init__(self, probabilities, truth, speakers, here):
        others = ~here
        self.probabilities, self.truth, self.speakers = probabilities[here], truth[here], speakers[here]
        self.statistics = score_statistics(probabilities[others], truth[others], speakers[others])
        self.least = conformal.threshold(truth[others], probabilities[others], ASKED)

    def adapted(self, clips: int | None, rng, *, emotion: int | None = None, mixed: bool = False) -> Iterator[tuple]:
        """Yield truth, probabilities and unadapted probabilities of the scored clips, per speaker and draw."""
        for name in np.unique(self.speakers):
            rows = np.flatnonzero(self.speakers == name)
            candidates = rows if emotion is None else rows[self.truth[rows] == emotion]
            for _ in range(DRAWS if clips else 1):
                given = rng.permutation(candidates)[: min(clips or len(rows), len(rows) - 1)] if clips else rows
                scored = np.setdiff1d(rows, given) if clips else rows
                if len(given) and len(scored):
                    offset = speaker_offset(self.probabilities[given], self.statistics, mixed=mixed)
                    before = self.probabilities[scored]
                    yield self.truth[scored], shifted(before, offset), before


def _pooled(folds: list[Fold], n_classes: int, seed: int, clips: int | None, **options) -> tuple:
    """Return UAR with and without adaptation on the same clips, then coverage and size of the adapted label sets."""
    rng = np.random.default_rng(seed)
    parts = [(fold.least, *part) for fold in folds for part in fold.adapted(clips, rng, **options)]
    truth = np.concatenate([part[1] for part in parts])
    after, before = (np.concatenate([part[k] for part in parts]) for k in (2, 3))
    inside = np.concatenate([conformal.sets(p, least) for least, _, p, _ in parts])
    held = inside[np.arange(len(truth)), truth].mean()
    scores = [uar_score(truth, p.argmax(axis=1), n_classes) for p in (after, before)]
    return *scores, held, inside.sum(axis=1).mean()


def _worst(folds: list[Fold], n_classes: int, truth: np.ndarray, *, mixed: bool) -> float:
    """Return the largest loss of UAR where all clips given show one emotion, over the emotions."""
    changes = []
    for emotion in np.unique(truth):
        after, before, *_ = _pooled(folds, n_classes, 1, ONE_EMOTION, emotion=emotion, mixed=mixed)
        changes.append(after - before)
    return min(changes)


def row(title: str, folds: list[Fold], n_classes: int) -> str:
    """Return one row of the table."""
    truth = np.concatenate([fold.truth for fold in folds])
    single = np.concatenate([fold.probabilities for fold in folds])
    inside = np.concatenate([conformal.sets(fold.probabilities, fold.least) for fold in folds])
    five, twenty, every = (_pooled(folds, n_classes, 1, clips) for clips in (5, 20, None))
    mixed = _pooled(folds, n_classes, 1, 20, mixed=True)
    worst = [_worst(folds, n_classes, truth, mixed=mixed_clips) for mixed_clips in (False, True)]
    cells = [f"{uar_score(truth, single.argmax(axis=1), n_classes):.3f}"]
    cells += [f"{scores[0]:.3f}" for scores in (five, twenty, every, mixed)]
    cells += [
        f"{worst[0]:+.3f}",
        f"{worst[1]:+.3f}",
        f"{inside[np.arange(len(truth)), truth].mean():.3f} ({inside.sum(axis=1).mean():.1f})",
    ]
    return f"| {title} | {' | '.join(cells)} | {twenty[2]:.3f} ({twenty[3]:.1f}) |"


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoints", nargs="+", type=Path)
    options = parser.parse_args(argv)
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for folder in options.checkpoints:
        run, table = finished.read(folder), predictions.read(folder)
        labels = list(run.card["labels"])
        truth = np.array([labels.index(label) for label in table.truth])
        folds = [Fold(table.probabilities, truth, table.speakers, table.fold == k) for k in np.unique(table.fold)]
        if run.card["protocol"]["by"] == "corpus":
            for k, fold in enumerate(folds):
                print(row(f"{folder.name}, {table.ids[table.fold == k][0].split('/')[0]}", [fold], len(labels)))
        else:
            print(row(folder.name, folds, len(labels)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
