"""What the page says in words; every picture's values are among them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prediction.answers import NO_ANSWER, UNLIKE, Answer
from prediction.card_text import coverage_text
from utils.plugins import licences

PURPOSE = "It tells how a voice sounds to a model that learned from acted or labelled speech, not what anybody feels."
LIMITS = (
    "Its answer is always one of its labels: how a voice was acted or labelled, not what anybody "
    "feels. Other voices, languages, rooms and microphones can make it wrong. Do not judge people by it; in the "
    "European Union, inferring emotions at work or in education is prohibited (AI Act, article 5) but for medical or "
    "safety reasons. Record only with consent."
)


def code(text: str) -> str:
    """Return text as a Markdown code span, in which nothing is markup.

    >>> code("![x](http://a/b)`<b>")
    "`![x](http://a/b)'<b>`"
    """
    return f"`{' '.join(text.replace('`', chr(39)).split()) or ' '}`"


def refusal(name: str, reason: str) -> str:
    """Return one line of Markdown that says why a sound is refused; ``reason`` begins with the name, as errors do.

    >>> refusal("a.wav", "a.wav: empty file.")
    '`a.wav`: `empty file.`'
    """
    return f"{code(name)}: {code(reason.removeprefix(f'{name}: '))}"


def warning(words: str) -> str:
    """Return a warning that names the page's own controls instead of the options of predict.py.

    >>> warning("unlike anything; 20 clips of this speaker (--enroll) would help")
    'Unlike anything; 20 clips of this speaker (*Enrol the speaker*) would help'
    """
    controls = {"--enroll": "*Enrol the speaker*", "--adapt": "*Scale by each channel's own voice*"}
    for option, control in controls.items():
        words = words.replace(option, control)
    return words[0].upper() + words[1:]


def facts(card: Mapping[str, Any], coverage: float | None) -> str:
    """Return a model's score, data, features, labels, notes and licences, in Markdown."""
    members = card.get("members", [])
    features = dict.fromkeys(_call(part["features"]) for part in members or [card])
    rows = [
        ("Score", card["evidence"]),
        ("Trained on", ", ".join(card["corpora"])),
        ("Model", card["model"]["name"] + (f" of {', '.join(part['name'] for part in members)}" if members else "")),
        ("Features", "; ".join(features)),
        ("Labels", ", ".join(card["labels"])),
        *(("Note", note) for note in card["notes"]),
        *(("Licence", f"{name}: {licence}") for name, licence in licences.of_card(card)),
    ]
    if has_sets(card, coverage):
        rows.append(("Label sets", coverage_text(card, coverage).removeprefix("label sets ")))
    return "\n\n".join([f"**{_plain(card['name'])}**", *(f"{key}: {_plain(value)}" for key, value in rows)])


def has_sets(card: Mapping[str, Any], coverage: float | None) -> bool:
    """Return whether a model has label sets of this coverage."""
    return coverage is not None and f"{coverage:g}" in (card.get("conformal") or {})


def evidence(name: str, card: Mapping[str, Any]) -> str:
    """Return a model's name and its score with the protocol, in Markdown."""
    return _plain(f"{name}: {card['evidence']}")


def _plain(text: str) -> str:
    return re.sub(r"([_*\[\]`<>$])", r"\\\1", text)  # our own words, with nothing else of Markdown in them


def _call(section: Mapping[str, Any]) -> str:
    return " ".join(str(value) for value in section.values() if isinstance(value, str | int | float))


def verdict(answers: Mapping[str, Answer]) -> str:
    """Return whether two models agree on a clip, in Markdown."""
    if any(answer.is_outside for answer in answers.values()):
        return ", ".join(f"{code(name)} {answer.headline}" for name, answer in answers.items())
    tops = {name: f"{answer.top} ({answer.probabilities[answer.top]:.0%})" for name, answer in answers.items()}
    agree = len({answer.top for answer in answers.values()}) == 1
    words = ", ".join(f"{code(name)} {top}" for name, top in tops.items())
    return f"They {'agree' if agree else 'differ'}: {words}"


def level(wave: np.ndarray, rate: int) -> str:
    """Return length, level and peak of a wave (n,)."""
    rms, peak = np.sqrt(np.mean(np.square(wave, dtype=np.float64))), np.abs(wave).max()
    loud = [f"{20 * np.log10(max(value, 1e-9)):.0f}" for value in (rms, peak)]
    return f"{len(wave) / rate:.2f} s at {rate} Hz, level {loud[0]} dB of full scale, peak {loud[1]} dB"


def attention(seconds: np.ndarray, weights: np.ndarray) -> str:
    """Return where a model's attention lies, given frames' times and weights (frames,).

    >>> attention(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.2, 0.2, 3.4, 0.2]))
    'Most attention at 2.00 s; its middle half lies between 2.00 and 2.00 s.'
    """
    reached = np.cumsum(weights) / weights.sum()
    low, high = (seconds[np.searchsorted(reached, share)] for share in (0.25, 0.75))
    most = seconds[weights.argmax()]
    return f"Most attention at {most:.2f} s; its middle half lies between {low:.2f} and {high:.2f} s."


def table(by_model: Mapping[str, Sequence[Answer]]) -> list[dict[str, Any]]:
    """Return a row per file for the table of a batch, given each model's answers; empty columns are left out.

    Of several models each has one column, under its name.
    """
    rows: list[dict[str, Any]] = [{"file": answer.file} for answer in next(iter(by_model.values()))]
    for row, *answers in zip(rows, *by_model.values(), strict=True):
        row["error"] = next((answer.error.removeprefix(f"{answer.file}: ") for answer in answers if answer.error), "")
        if len(by_model) == 1:
            row |= _cells(answers[0])
        else:
            row |= {name: _cell(answer) for name, answer in zip(by_model, answers, strict=True)}
    shown = {key for row in rows for key, value in row.items() if value not in (None, "")}
    return [{key: value for key, value in row.items() if key in shown} for row in rows]


def _cells(answer: Answer) -> dict[str, Any]:
    if answer.error:
        return dict.fromkeys(("emotion", "probability", "label set", "unlike the training clips", "warning"))
    return {
        "emotion": "no answer" if answer.is_outside else answer.top,
        "probability": None if answer.is_outside else round(answer.probabilities[answer.top], 3),
        "label set": ", ".join(answer.label_set) if answer.rule.gives_sets and not answer.is_outside else None,
        "unlike the training clips": ", ".join(hint["hint"] for hint in answer.hints),
        "warning": UNLIKE if answer.warning else "",
    }


def _cell(answer: Answer) -> str | None:
    if answer.error:
        return None
    if answer.is_outside:
        return NO_ANSWER
    others = f" of {{{', '.join(answer.label_set)}}}" if answer.rule.gives_sets else ""
    return f"{answer.top} {answer.probabilities[answer.top]:.1%}{others}"


def summary(by_model: Mapping[str, Sequence[Answer]]) -> str:
    """Return how many files there are, how many could not be judged, and on how many two models agree."""
    clips = list(zip(*by_model.values(), strict=True))
    judged = [answers for answers in clips if not any(answer.error for answer in answers)]
    failed = f", {len(clips) - len(judged)} of them could not be judged" if len(judged) < len(clips) else ""
    named = [answers for answers in judged if not any(answer.is_outside for answer in answers)]
    agree = sum(len({answer.top for answer in answers}) == 1 for answers in named)
    outside = f", {len(judged) - len(named)} are {UNLIKE}" if len(named) < len(judged) else ""
    return f"{len(clips)} files{failed}{outside}" + (
        f"; the models agree on {agree} of {len(named)}." if len(by_model) > 1 else "."
    )
