"""Leakage: does anything that a fold's model learned from touch the clips it is tested on?

The rules of the audit, over the rows that each fit, scaler, balancing, calibration and stopping really got. What
they are after: Kapoor & Narayanan 2023, Leakage and the reproducibility crisis in machine-learning-based science,
doi 10.1016/j.patter.2023.100804.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evaluation.leakage import record
from evaluation.leakage.record import SHIPPED
from models.classes import is_network
from models.usage import Clips
from utils.config import Config

DISJOINT = ("speaker", "listed", "session", "corpus")  # splits whose test speakers are in no training part
KINDS = {  # purpose -> what it means that it was given a clip of the test part
    "part": "training part", "fit": "training", "scale": "scaler", "speakers": "statistics of speakers",
    "balance": "balancing", "copies": "augmented copies", "validation": "early stopping", "init": "initial weights",
    "combine": "combination", "temperature": "calibration",
}  # fmt: skip
WITHIN = ("scale", "balance", "fit", "copies")  # may hold nothing but the training part
VERDICTS = {
    "clean": "learned from no test clip, test speaker or copy of one",
    "speaker-dependent": "its training data include test speakers",
    "leaks": "the score is too high; do not quote it",
    "not audited": "the record is incomplete",
    "tuned": "settings chosen by this score: quote the held-out one",
}
PASSED_ON = {"leaks": "leak", "not audited": "missing", "tuned": "tuned"}  # verdict of a member -> finding
Sides = Mapping[str, Clips]  # purpose -> clips
Finding = dict[str, Any]  # severity, kind, text, folds, clips, examples


def judge(noted: pa.Table, config: Config, *, members: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return ``audit`` of metrics.json: {verdict, meaning, findings, checked}.

    A finding has a severity: "leak", "missing" (no record of it), "tuned" (on the scores of these speakers,
    while others are held out), "expected" (by such a split) or "information".

    Args:
        noted: the run's record, as ``record.read`` gives it.
        config: says what the split promises, and what must have been noted.
        members: of an ensemble: name -> verdict.
    """
    folds = record.folds(noted)
    findings: list[Finding] = []
    for number, sides in folds.items():
        findings += [finding | {"folds": [number]} for finding in _fold(sides, config, shipped=number == SHIPPED)]
        held = folds.get(SHIPPED, {}).get("test")
        if held is not None and number != SHIPPED:
            findings += [finding | {"folds": [number]} for finding in _against(sides, held, True, "held-out")]
    findings += [finding | {"folds": []} for finding in _run(folds, config, members or {})]
    merged = _merged(findings)
    verdict = _verdict({finding["severity"] for finding in merged})
    return {"verdict": verdict, "meaning": VERDICTS[verdict], "findings": merged, "checked": _checked(folds)}


def _verdict(severities: set[str]) -> str:
    order = {"leak": "leaks", "missing": "not audited", "tuned": "tuned", "expected": "speaker-dependent"}
    return next((verdict for severity, verdict in order.items() if severity in severities), "clean")


def _fold(sides: Sides, config: Config, *, shipped: bool) -> Iterator[Finding]:
    """What is wrong with one model."""
    for purpose in sorted(_needed(config, shipped) - set(sides)):
        yield _finding("missing", purpose, f"nothing was noted under {purpose!r}")
    if "test" in sides:
        yield from _against(sides, sides["test"], shipped or config.split.by in DISJOINT, "test")
    if "part" in sides:
        yield from _outside(sides)
    if "misscaled" in sides:
        yield _finding("leak", "scaler", "the scaler is not that of the clips it was given", sides["misscaled"].ids)
    if "init" in sides and "" in sides["init"].ids:
        yield _finding("missing", "initial weights", "the checkpoint that init names has no record: train it again")
    yield from _calibration(sides)


def _needed(config: Config, shipped: bool) -> set[str]:
    """Which purposes such a run cannot be without; estimators may or may not need calibration."""
    if config.members:
        learned = {"combine", "inner fit", "inner scale"} if config.model["combine"] != "mean" else set()
        return {"part"} if shipped else {"part", "test"} | learned
    conditions = {
        "part": True, "scale": True, "fit": True, "test": not shipped,
        "validation": is_network(config.model) and not shipped, "speakers": config.normalise == "speaker",
        "balance": config.balance == "oversample", "copies": bool(config.augmentation(audio=True)),
        "init": config.init is not None,
    }  # fmt: skip
    return {purpose for purpose, needed in conditions.items() if needed}


def _against(sides: Sides, test: Clips, disjoint: bool, side: str) -> Iterator[Finding]:
    """Whatever was learned from against the clips that are scored; ``disjoint``: their speakers must be unseen."""
    for purpose, given in sides.items():
        if purpose in ("test", "misscaled") or (purpose == "part" and "fit" in sides):
            continue
        kind = _kind(purpose)
        same = np.isin(given.ids, test.ids)
        if same.any():
            yield _finding("leak", kind, f"{side} clips", given.ids[same])
        twin = ~same & np.isin(given.digests, test.digests) & (given.digests != "")
        if twin.any():
            yield _finding("leak", kind, f"duplicates of {side} clips, under other ids", given.ids[twin])
        known = np.isin(given.speakers, test.speakers[test.speakers != ""]) & ~same
        if known.any():
            names = np.unique(given.speakers[known])
            severity = "leak" if disjoint else "expected"
            yield _finding(severity, kind, f"clips of {side} speakers ({_few(names)})", given.ids[known])
    if "fit" in sides and side == "test":
        texts = set(sides["fit"].texts) & set(test.texts) - {""}
        if texts:
            of = len(set(test.texts) - {""})
            yield _finding("information", "text", f"{len(texts)} of {of} test sentences are trained on, by others")


def _kind(purpose: str) -> str:
    own = purpose.removeprefix("inner ")
    return purpose[: -len(own)] + KINDS.get(own, "calibration")


def _outside(sides: Sides) -> Iterator[Finding]:
    """What was given clips that are not of the training part, or stopped by clips that are learned from."""
    part, held = sides["part"].ids, sides["validation"].ids if "validation" in sides else np.array([])
    for purpose, given in sides.items():
        allowed = np.concatenate([part, held]) if purpose == "speakers" else part
        stray = ~np.isin(given.ids, allowed)
        if (purpose in WITHIN or purpose == "speakers" or purpose.startswith("calibration ")) and stray.any():
            kind = KINDS.get(purpose, "calibration")
            yield _finding("leak", kind, "clips from outside the training part", given.ids[stray])
    if "fit" in sides and (both := np.isin(held, sides["fit"].ids)).any():
        yield _finding("leak", "early stopping", "clips that the network also learns from", held[both])


def _calibration(sides: Sides) -> Iterator[Finding]:
    """Calibration must not judge by clips, nor needlessly by speakers, that its estimator was fitted on."""
    for number in range(1, sum(purpose.startswith("calibration ") for purpose in sides) + 1):
        pair = [sides.get(f"calibration {number} {side}") for side in ("fit", "held")]
        if None in pair:
            continue
        fit, held = pair
        if (same := np.isin(held.ids, fit.ids)).any():
            yield _finding("leak", "calibration", "clips that its estimator was fitted on", held.ids[same])
        elif (known := np.isin(held.speakers, fit.speakers[fit.speakers != ""])).any():
            text = (
                "clips of speakers that its estimator was fitted on: its probabilities are too high for unseen speakers"
            )
            yield _finding("information", "calibration", text, held.ids[known])


def _run(folds: Mapping[int, Sides], config: Config, members: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with the run as a whole."""
    if not any(number != SHIPPED for number in folds) or SHIPPED not in folds:
        yield _finding("missing", "record", "not every fold and the shipped model were noted")
    if config.tuned:
        text = "its settings were chosen by the score of these speakers"
        aside = set(config.tuned) if isinstance(config.tuned, list) else set()
        unseen = bool(config.split.holdout) and set(config.split.holdout) <= aside
        yield _finding("tuned" if unseen else "leak", "selection", text)
    for name, verdict in members.items():
        if verdict in PASSED_ON:
            yield _finding(PASSED_ON[verdict], "member", f"{name}: {verdict}")


def _finding(severity: str, kind: str, text: str, ids: Sequence[str] = ()) -> Finding:
    return {"severity": severity, "kind": kind, "text": text, "ids": sorted(set(map(str, ids)))}


def _merged(findings: Sequence[Finding]) -> list[Finding]:
    """The same finding of several folds, or calibration folds, becomes one; the worst come first."""
    order = ("leak", "missing", "tuned", "expected", "information")
    groups: dict[tuple, list[Finding]] = {}
    for f in findings:
        groups.setdefault((order.index(f["severity"]), f["kind"], f["text"].partition(" (")[0]), []).append(f)
    merged = []
    for (_, _, text), group in sorted(groups.items(), key=lambda item: item[0][0]):
        ids = sorted({identity for finding in group for identity in finding["ids"]})
        numbers = sorted({number for finding in group for number in finding["folds"]})
        same = group[0]["text"] if len({finding["text"] for finding in group}) == 1 else text
        kept = {key: group[0][key] for key in ("severity", "kind")} | {"text": same}
        merged.append(kept | {"folds": numbers, "clips": len(ids), "examples": ids[:3]})
    return merged


def _checked(folds: Mapping[int, Sides]) -> list[str]:
    """What was looked at: each purpose with the rows noted under it over all folds."""
    counts: dict[str, int] = {}
    for sides in folds.values():
        for purpose, clips in sides.items():
            name = " ".join(word for word in purpose.split() if not word.isdecimal())
            counts[name] = counts.get(name, 0) + len(clips.ids)
    models = sum(number != SHIPPED for number in folds)
    shipped = " and the shipped model" if SHIPPED in folds else ""
    return [f"{models} folds{shipped}", *(f"{name}: {count} rows" for name, count in counts.items())]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
