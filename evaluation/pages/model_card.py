"""MODEL_CARD.md: what a model is, for whom it works, what it is not for (Mitchell et al. 2019, arXiv 1810.03993)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluation.checkpoint.finished import Finished
from evaluation.checkpoint.metrics_json import uar_text
from evaluation.checkpoint.protocol import read as protocol_of
from evaluation.scores import glossary

INTENDED = (
    "Research and teaching on speech emotion recognition, and comparing models on the same clips and folds.",
    "Summaries over many recordings, read by people who know the error rates above, where speakers have agreed to it.",
)
OUT_OF_SCOPE = (
    "Judging a person: hiring, appraisal, credit, insurance, policing, border control, diagnosis, lie detection.",
    "Any decision without a human who can hear the recording and overrule it.",
    "Inferring emotions of people at work or in education: prohibited in the European Union but for medical or safety "
    "reasons (AI Act, Regulation (EU) 2024/1689, article 5(1)(f)).",
    "Elsewhere in the European Union without the duties of a high-risk system (annex III, 1(c)), or without telling "
    "the people concerned (article 50(3)).",
    "Listening to anybody who has not agreed to be recorded and analysed.",
)


def promise(protocol: Mapping[str, Any]) -> str:
    """Return what the protocol's number means for a user's own voice."""
    if protocol["speaker_disjoint"]:
        return "No tested speaker was trained on: this is what strangers get, if recorded like this corpus."
    return "Speakers that were tested were also trained on, or may have been. Strangers usually get less than this."


def honest(run: Finished) -> bool:
    """Return whether the headline figure can be quoted for strangers."""
    protocol, audit = run.metrics["protocol"], run.metrics.get("audit") or {}
    spoilt = protocol.get("limit") or protocol.get("tuned") or audit.get("verdict") == "leaks"
    return protocol["speaker_disjoint"] and not spoilt


def warnings(run: Finished) -> list[str]:
    """Return what must be known before the number is quoted."""
    protocol, audit = run.metrics["protocol"], run.metrics.get("audit") or {}
    found = [
        f"A trial on {protocol['limit']} clips a class, not a result." if protocol.get("limit") else "",
        "Settings were chosen by the score of these very speakers: quote the held-out ones."
        if protocol.get("tuned")
        else "",
        "The audit found a leak: the score is too good to be true; do not quote it."
        if audit.get("verdict") == "leaks"
        else "",
        *(f"{note[0].upper()}{note[1:]}." for note in run.card.get("notes", [])),
    ]
    return [text for text in found if text]


def recipe(run: Finished) -> str:
    """Return what is read and what decides, in a line."""
    reads = dict.fromkeys(_reads(card) for card in run.card.get("members", [run.card]))
    return f"{' and '.join(reads)}; {_call(run.card['model'])}."


def _reads(card: Mapping[str, Any]) -> str:
    normalised = "each speaker's own statistics" if card["normalise"] == "speaker" else "statistics of the training set"
    return f"{_call(card['features'])} at {card['rate']} Hz, scaled by {normalised}"


def _call(section: Mapping[str, Any]) -> str:
    stated = ", ".join(f"{key}: {value}" for key, value in section.items() if key != "name" and value is not None)
    return f"{section['name']} ({stated})" if stated else section["name"]


def limits(run: Finished) -> list[str]:
    """Return what the numbers do not promise, with the numbers that say so."""
    found = run.metrics
    heard = f"has heard {', '.join(run.card['corpora'])} alone"
    if source := found["protocol"].get("init"):
        heard += f", apart from what {source} had heard, whose weights it began with"
    out = [
        f"It {heard}. Other rooms, microphones, languages, ages and cultures sound otherwise; "
        "measure it on your own recordings by evaluate.py before you rely on it.",
        f"It names one of {len(found['labels'])} labels, {', '.join(found['labels'])}, whatever is said; what it hears "
        "is how a voice was labelled, or acted, and not what anybody feels.",
    ]
    if not found["uar_ci95_informative"]:
        out.append(f"{found['n_speakers']} known speakers are too few for an interval that means much.")
    worst = (found.get("subgroups") or {}).get("speaker", {})
    if worst.get("worst"):
        name = worst["worst"]
        out.append(f"Speakers differ: of one, {name}, it has a UAR of {worst['groups'][name]['uar']:.3f}.")
    for by, column in (found.get("subgroups") or {}).items():
        if by != "speaker" and column["worst"]:
            group = column["groups"][column["worst"]]
            out.append(f"By {by} it is lowest on {column['worst']}: UAR {group['uar']:.3f}, {group['n_clips']} clips.")
    if sets := (found.get("conformal") or {}).get("0.9"):
        out.append(
            f"Label sets asked to hold the truth of 90 % hold it of {100 * sets['lowest']:.0f} % for one speaker."
        )
    return [*out, *warnings(run)]


def text(run: Finished) -> str:
    """Return the model card in Markdown."""
    return "\n".join([*_details(run), *_listed("Intended use", INTENDED), *_listed("Out-of-scope use", OUT_OF_SCOPE),
                      *_data(run), *_numbers(run), *_listed("Limits", limits(run)), *_terms(run)])  # fmt: skip


def _details(run: Finished) -> Iterator[str]:
    yield from (f"# {run.metrics['name']}", "", "## Model", "")
    yield f"Speech emotion recognition, one label a recording: {', '.join(run.metrics['labels'])}."
    yield recipe(run)
    versions = ", ".join(f"{name} {number}" for name, number in run.card["versions"].items())
    joined = len(run.card.get("members", []))
    graphs = f"{joined} ONNX graphs, joined, each with its" if joined else "One ONNX graph,"
    yield from ("", f"{graphs} scaler and calibration inside. Made with {versions}.", "")


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *(f"- {item}" for item in items), "")


def _data(run: Finished) -> Iterator[str]:
    found, protocol = run.metrics, run.metrics["protocol"]
    speakers = f"{found['n_speakers']} known speakers" if found["n_speakers"] else "speakers not known"
    yield from ("## Data and protocol", "")
    yield f"- Trained and tested on {', '.join(run.card['corpora'])}: {found['n_clips']} clips, {speakers}."
    counts = ", ".join(f"{label} {row['support']}" for label, row in found["per_class"].items())
    yield f"- Clips: {counts}."
    words = {"merge": run.config.get("merge"), "drop": run.config.get("drop")}
    yield from (f"- {key}: {value}." for key, value in words.items() if value)
    yield f"- {protocol_of(protocol).describe()}; validation: {protocol['validation']}. {promise(protocol)}"
    yield "- The figures are of cross-validation; the shipped model has learned from all these clips."
    if audit := found.get("audit"):
        yield f"- Leakage audit: {audit['verdict']}, {audit['meaning']}."
    yield ""


def _numbers(run: Finished) -> Iterator[str]:
    found = run.metrics
    yield from ("## Numbers", "", "| | | meaning |", "|---|---|---|")
    yield f"| UAR | {uar_text(found)} | {glossary.meaning('uar')} |"
    for key in ("accuracy", "macro_f1", "weighted_f1", "ece", "brier", "log_loss"):
        yield f"| {glossary.name(key)} | {found[key]:.3f} | {glossary.meaning(key)} |"
    if held := found.get("holdout"):
        yield f"| UAR of held-out speakers | {held['uar']:.3f} | {len(held['speakers'])} kept out of everything. |"
    for folder, other in run.evaluations():
        how = protocol_of(other["protocol"]).describe()
        yield f"| UAR on {folder.name} | {uar_text(other)} | {how}. |"
    yield from ("", f"Guessing has a UAR of {run.chance:.3f}.", "")
    yield from ("| | precision | recall | F1 | clips |", "|---|---|---|---|---|")
    for label, row in found["per_class"].items():
        yield f"| {label} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['support']} |"
    yield ""


def _terms(run: Finished) -> Iterator[str]:
    yield from ("## Licences", "", "The model inherits the limits of what it was made with.", "")
    yield from (f"- {name}: {licence}." for name, licence in run.licences("corpora", "features", "models"))
    yield ""
