"""The answer for one file: as a line, as JSON, as a row of a table."""

import io
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from utils import foreign_text
from utils.errors import ConfigError

UNLIKE = "unlike anything the model learned"
NO_ANSWER = f"no answer: {UNLIKE}"


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
    """A line of --json: ``file`` and ``error``, or ``file``, ``emotion``, ``probabilities``, ``hints``, ``warning``.

    ``emotion`` is None if none is named; ``warning``, which is "" if there is none, or ``reason`` says why. If asked
    for, also ``set`` (labels).
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
        always_name: whether an emotion is named for a clip with a warning as well.
    """

    set_threshold: float | None = None
    abstain_below: float = 0.0
    always_name: bool = False

    @classmethod
    def of_card(
        cls, card: Mapping[str, Any], coverage: float | None, abstain_below: float = 0.0, *, always_name: bool = False
    ) -> "DecisionRule":
        """Return the rule with a model's threshold for label sets of this coverage; None: no label sets.

        Raises:
            ConfigError: the checkpoint has no threshold for this coverage.
        """
        if coverage is None:
            return cls(None, abstain_below, always_name)
        known = card.get("conformal") or {}
        if not known:
            raise ConfigError(
                f"--coverage: {card['name']} has no thresholds: train it again, on clips of known speakers."
            )
        if f"{coverage:g}" not in known:
            raise ConfigError(f"--coverage {coverage:g}: {card['name']} has thresholds for {', '.join(known)}.")
        return cls(known[f"{coverage:g}"]["threshold"], abstain_below, always_name)

    @property
    def gives_sets(self) -> bool:
        """Whether answers have label sets."""
        return self.set_threshold is not None


@dataclass(frozen=True)
class Answer:
    """The answer for one file: probabilities by label, or the error (the rest is then not asked for).

    ``hints`` say in what it is unlike the training clips, ``warning`` that it is too unlike for the model to know, ""
    where it is not (``prediction.out_of_domain``). With a warning no emotion is named, unless the rule says so.
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
        return "" if self.reason or self.is_outside else self.top

    @property
    def is_outside(self) -> bool:
        """Whether no emotion is named because the clip is outside what the model knows."""
        return bool(self.warning) and not self.rule.always_name

    @property
    def headline(self) -> str:
        """The emotion, or why none is named."""
        if self.is_outside:
            return NO_ANSWER
        return self.emotion or f"none named, {self.reason}"

    @property
    def reason(self) -> str:
        """Why no emotion is named for a clip like the training clips; "" if one is."""
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
        """Return all of it in words, the most probable first; lines for the warning and each hint follow.

        A clip outside what the model knows has no probabilities here: a reader takes the first for the answer.
        """
        label_set = f"  {{{', '.join(self.label_set)}}}" if self.rule.gives_sets else ""
        ranked = "  ".join(f"{label} {self.probabilities[label]:.2f}" for label in self.ranked)
        lines = [f"{self.file}: {self.headline}" + ("" if self.is_outside else f"{label_set}  {ranked}")]
        lines += wrapped(f"warning: {self.warning}") if self.warning else []
        lines += ["  --always-name names an emotion all the same"] if self.is_outside else []
        return "\n".join([*lines, *(f"  hint: {hint['text']}" for hint in self.hints)])

    def as_json(self) -> AnswerJson:
        """Return what --json prints."""
        if self.error:
            return {"file": self.file, "error": self.error}
        line: AnswerJson = {"file": self.file, "emotion": self.emotion or None, "probabilities": self.probabilities}
        line |= {"hints": list(self.hints), "warning": self.warning}
        line |= {"set": self.label_set} if self.rule.gives_sets else {}
        return line | ({"reason": self.reason} if self.reason else {})


def wrapped(words: str, indent: str = "  ") -> list[str]:
    """Return words in lines of at most 80 characters, each of which begins with ``indent``."""
    return textwrap.wrap(words, 80, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def distinct(files: Sequence[str]) -> dict[str, str]:
    """Return the name of each file's results: its stem, or its whole path where other files have the same stem.

    >>> distinct(["a/one.wav", "b/one.wav", "b/two.wav"])
    {'a/one.wav': 'a_one.wav', 'b/one.wav': 'b_one.wav', 'b/two.wav': 'two'}
    """
    stems = {file: "stdin" if file == "-" else Path(file).stem for file in files}
    times = Counter(stems.values())
    whole = {file: "_".join(Path(file).relative_to(Path(file).anchor).parts) for file in files}
    return {file: whole[file] if times[stem] > 1 else stem for file, stem in stems.items()}


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
