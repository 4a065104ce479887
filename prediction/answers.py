"""The answer for one file: as a line, as JSON, as a row of a table."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from utils import foreign_text
from utils.errors import ConfigError


class Hint(TypedDict):
    """One way in which a clip is unlike the training clips.

    ``hint`` names it ("noisy", ...), ``value`` is the clip's, ``limit`` the end of the training clips' range, ``text``
    says both.
    """

    hint: str
    value: float
    limit: float
    text: str


class AnswerJson(TypedDict, total=False):
    """A line of --json: ``file`` and ``error``, or ``file``, ``emotion`` (None if none is named), ``probabilities``,
    ``hints``, ``warning`` ("" if none), and if asked for ``set`` (labels) and ``reason``.
    """

    file: str
    error: str
    emotion: str | None
    probabilities: Mapping[str, float]
    hints: list[Hint]
    warning: str
    set: list[str]
    reason: str


@dataclass(frozen=True)
class DecisionRule:
    """What an answer says beside the probabilities.

    Attributes:
        set_threshold: probability from which a label is in the label set; None: no label sets.
        abstain_below: top probability under which no emotion is named.
    """

    set_threshold: float | None = None
    abstain_below: float = 0.0

    @classmethod
    def of_card(cls, card: Mapping[str, Any], coverage: float | None, abstain_below: float = 0.0) -> "DecisionRule":
        """Return the rule with a model's threshold for label sets of this coverage; None: no label sets.

        Raises:
            ConfigError: the checkpoint has no threshold for this coverage.
        """
        if coverage is None:
            return cls(None, abstain_below)
        known = card.get("conformal") or {}
        if not known:
            raise ConfigError(
                f"--coverage: {card['name']} has no thresholds: train it again, on clips of known speakers."
            )
        if f"{coverage:g}" not in known:
            raise ConfigError(f"--coverage {coverage:g}: {card['name']} has thresholds for {', '.join(known)}.")
        return cls(known[f"{coverage:g}"]["threshold"], abstain_below)

    @property
    def gives_sets(self) -> bool:
        """Whether answers have label sets."""
        return self.set_threshold is not None


@dataclass(frozen=True)
class Answer:
    """The answer for one file: probabilities by label, or the error (the rest is then not asked for).

    ``hints`` say in what it is unlike the training clips, ``warning`` that it is too unlike, "" where it is not
    (``prediction.out_of_domain``).
    """

    file: str
    probabilities: Mapping[str, float] | None = None
    error: str = ""
    rule: DecisionRule = DecisionRule()
    hints: Sequence[Hint] = ()
    warning: str = ""

    @property
    def top(self) -> str:
        """The most probable label."""
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def emotion(self) -> str:
        """The emotion that is named; "" if none is."""
        return "" if self.reason else self.top

    @property
    def headline(self) -> str:
        """The emotion, or why none is named."""
        return self.emotion or f"none named, {self.reason}"

    @property
    def reason(self) -> str:
        """Why no emotion is named; "" if one is."""
        p, least = self.probabilities[self.top], self.rule.abstain_below
        return f"{self.top} {p:.3f} is below {least:g}" if p < least else ""

    @property
    def label_set(self) -> list[str]:
        """The labels of the set, the most probable first; the top one is always in it."""
        threshold = min(self.rule.set_threshold, self.probabilities[self.top])
        return [label for label in self.ranked if self.probabilities[label] >= threshold]

    @property
    def ranked(self) -> list[str]:
        """All labels, the most probable first."""
        return sorted(self.probabilities, key=self.probabilities.get, reverse=True)

    def line(self) -> str:
        """Return all of it in words, the most probable first; a line for the warning and each hint follows."""
        label_set = f"  {{{', '.join(self.label_set)}}}" if self.rule.gives_sets else ""
        ranked = "  ".join(f"{label} {self.probabilities[label]:.2f}" for label in self.ranked)
        hints = "".join(f"\n  hint: {hint['text']}" for hint in self.hints)
        warning = f"\n  warning: {self.warning}" if self.warning else ""
        return f"{self.file}: {self.headline}{label_set}  {ranked}{warning}{hints}"

    def as_json(self) -> AnswerJson:
        """Return what --json prints."""
        if self.error:
            return {"file": self.file, "error": self.error}
        line: AnswerJson = {"file": self.file, "emotion": self.emotion or None, "probabilities": self.probabilities}
        line |= {"hints": list(self.hints), "warning": self.warning}
        line |= {"set": self.label_set} if self.rule.gives_sets else {}
        return line | ({"reason": self.reason} if self.reason else {})


def distinct(files: Sequence[str]) -> dict[str, str]:
    """Return the name of each file's results: its stem, or its whole path where other files have the same stem.

    >>> distinct(["a/one.wav", "b/one.wav", "b/two.wav"])
    {'a/one.wav': 'a_one.wav', 'b/one.wav': 'b_one.wav', 'b/two.wav': 'two'}
    """
    stems = {file: "stdin" if file == "-" else Path(file).stem for file in files}
    times = Counter(stems.values())
    whole = {file: "_".join(Path(file).relative_to(Path(file).anchor).parts) for file in files}
    return {file: whole[file] if times[stem] > 1 else stem for file, stem in stems.items()}


def write_csv(path: Path, answers: Sequence[Answer], labels: Sequence[str], rule: DecisionRule) -> None:
    """Write what ``csv_text`` returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(answers, labels, rule), newline="", encoding="utf8")


def csv_text(answers: Sequence[Answer], labels: Sequence[str], rule: DecisionRule) -> str:
    """Return ``file,emotion,p_<label>...,hints,warning,error``; before ``hints``, if asked for, ``set`` and ``reason``.

    The labels of ``set`` are joined by "|", the texts of ``hints`` by "; ".
    """
    optional = ["set"] * rule.gives_sets + ["reason"] * bool(rule.abstain_below)
    text = io.StringIO(newline="")
    writer = foreign_text.Writer(text)
    writer.writerow(["file", "emotion", *(f"p_{label}" for label in labels), *optional, "hints", "warning", "error"])
    for answer in answers:
        if answer.error:
            writer.writerow(
                [answer.file, *("" for _ in ["emotion", *labels, *optional, "hints", "warning"]), answer.error]
            )
            continue
        cells = ["|".join(answer.label_set)] if rule.gives_sets else []
        cells += [answer.reason] * bool(rule.abstain_below)
        hints = "; ".join(hint["text"] for hint in answer.hints)
        writer.writerow(
            [answer.file, answer.emotion, *map(answer.probabilities.get, labels), *cells, hints, answer.warning, ""]
        )
    return text.getvalue()
