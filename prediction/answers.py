"""What prediction says of a file: as a line, as JSON, as a row of a table."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def distinct(files: Sequence[str]) -> dict[str, str]:
    """Return what the results of each file are called: its stem, or its whole path where others have the same stem.

    >>> distinct(["a/one.wav", "b/one.wav", "b/two.wav"])
    {'a/one.wav': 'a_one.wav', 'b/one.wav': 'b_one.wav', 'b/two.wav': 'two'}
    """
    stems = {file: "stdin" if file == "-" else Path(file).stem for file in files}
    times = Counter(stems.values())
    whole = {file: "_".join(Path(file).relative_to(Path(file).anchor).parts) for file in files}
    return {file: whole[file] if times[stem] > 1 else stem for file, stem in stems.items()}


def write_csv(path: Path, answers: Sequence["Answer"], labels: Sequence[str], wanted: "Wanted") -> None:
    """Write what ``csv_text`` returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(answers, labels, wanted), newline="", encoding="utf8")


def csv_text(answers: Sequence["Answer"], labels: Sequence[str], wanted: "Wanted") -> str:
    """Return ``file,emotion,p_<label>...,error``; before ``error``, if asked for, ``set`` (a|b) and ``reason``."""
    more = ["set"] * wanted.sets + ["reason"] * bool(wanted.abstain_below)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["file", "emotion", *(f"p_{label}" for label in labels), *more, "error"])
    for answer in answers:
        if answer.error:
            writer.writerow([answer.file, *("" for _ in ["emotion", *labels, *more]), answer.error])
            continue
        found = (["|".join(answer.label_set)] if wanted.sets else []) + [answer.reason] * bool(wanted.abstain_below)
        writer.writerow([answer.file, answer.emotion, *map(answer.probabilities.get, labels), *found, ""])
    return text.getvalue()


@dataclass(frozen=True)
class Wanted:
    """What is said beside the probabilities.

    Attributes:
        least: probability from which a label is in the set; None: no sets.
        abstain_below: top probability under which no emotion is named.
    """

    least: float | None = None
    abstain_below: float = 0.0

    @property
    def sets(self) -> bool:
        return self.least is not None


@dataclass
class Answer:
    """What is said of one file: probabilities by label, or the error (the rest is then not asked for).

    ``hints`` say in what it is unlike the training clips (``prediction.out_of_domain``).
    """

    file: str
    probabilities: dict[str, float] | None = None
    error: str = ""
    wanted: Wanted = Wanted()
    hints: Sequence[dict[str, Any]] = ()

    @property
    def top(self) -> str:
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def emotion(self) -> str:
        return "" if self.reason else self.top

    @property
    def said(self) -> str:
        return self.emotion or f"none named, {self.reason}"

    @property
    def reason(self) -> str:
        """Why no emotion is named; "" if one is."""
        p = self.probabilities[self.top]
        return f"{self.top} {p:.3f} is below {self.wanted.abstain_below:g}" if p < self.wanted.abstain_below else ""

    @property
    def label_set(self) -> list[str]:
        """The labels that make the set, the most probable first."""
        least = min(self.wanted.least, self.probabilities[self.top])
        return [label for label in self.ranked if self.probabilities[label] >= least]

    @property
    def ranked(self) -> list[str]:
        return sorted(self.probabilities, key=self.probabilities.get, reverse=True)

    def line(self) -> str:
        """Return all of it in words, the most probable first."""
        kept = f"  {{{', '.join(self.label_set)}}}" if self.wanted.sets else ""
        ranked = "  ".join(f"{label} {self.probabilities[label]:.2f}" for label in self.ranked)
        unlike = "".join(f"\n  hint: {hint['text']}" for hint in self.hints)
        return f"{self.file}: {self.said}{kept}  {ranked}{unlike}"

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        if self.error:
            return {"file": self.file, "error": self.error}
        found = {"file": self.file, "emotion": self.emotion or None, "probabilities": self.probabilities}
        found |= {"hints": list(self.hints)}
        found |= {"set": self.label_set} if self.wanted.sets else {}
        return found | ({"reason": self.reason} if self.reason else {})
