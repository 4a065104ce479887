"""MODEL_CARD.md: what a model is, for whom it works, what it is not for (Mitchell et al. 2019, arXiv 1810.03993)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evaluation.checkpoint.finished import Finished
from evaluation.checkpoint.metrics_json import uar_text
from evaluation.checkpoint.protocol import read as read_protocol
from evaluation.pages import html
from evaluation.scores import guessing, selective, speaker_emotions
from utils.foreign_text import markdown

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
    """Return what the protocol's UAR means for a user's own voice."""
    if protocol["speaker_disjoint"]:
        return "No tested speaker was trained on: expect this for unseen speakers if recorded like this corpus."
    return "Tested speakers were also trained on, or may have been. Expect less for unseen speakers."


def can_be_quoted(run: Finished) -> bool:
    """Return whether the UAR can be quoted for unseen speakers."""
    protocol, audit = run.metrics["protocol"], run.metrics.get("audit") or {}
    misleading = protocol.get("limit") or protocol.get("tuned") or audit.get("verdict") == "leaks"
    return protocol["speaker_disjoint"] and not misleading


def warnings(run: Finished) -> list[str]:
    """Return what must be known before the number is quoted."""
    protocol, audit = run.metrics["protocol"], run.metrics.get("audit") or {}
    texts = [
        guessing.sentence(run.metrics, run.chance) if run.metrics.get("verdict") == guessing.NO_BETTER else "",
        f"A trial on {protocol['limit']} clips per class, not a result." if protocol.get("limit") else "",
        "Settings were chosen by the score on these same speakers: quote the score on the held-out ones."
        if protocol.get("tuned")
        else "",
        speaker_emotions.warning(run.metrics),
        "The audit found a leak: the score is too high; do not quote it." if audit.get("verdict") == "leaks" else "",
        *(f"{note[0].upper()}{note[1:]}." for note in run.card.get("notes", [])),
    ]
    return [text for text in texts if text]


def recipe(run: Finished) -> str:
    """Return features, scaling and model in one line."""
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
    metrics = run.metrics
    trained = f"was trained on {', '.join(run.card['corpora'])} only"
    if source := metrics["protocol"].get("init"):
        trained += f", and began with the weights of {source}, which was trained on other clips"
    out = [
        f"It {trained}. Other rooms, microphones, languages, ages and cultures sound different; "
        "measure it on your own recordings by evaluate.py before you rely on it.",
        f"It names one of {len(metrics['labels'])} labels, {', '.join(metrics['labels'])}, for any recording. A label "
        "says which emotion was acted or annotated, not what a person feels.",
    ]
    if missing := speaker_emotions.missing_sentence(metrics):
        out.append(missing)
    if not metrics["uar_ci95_informative"]:
        out.append(f"{metrics['n_speakers']} known speakers are too few for a meaningful interval.")
    worst = (metrics.get("subgroups") or {}).get("speaker", {})
    if worst.get("worst"):
        name = worst["worst"]
        out.append(f"Speakers differ: of one, {name}, it has a UAR of {worst['groups'][name]['uar']:.3f}.")
    for by, column in (metrics.get("subgroups") or {}).items():
        if by != "speaker" and column["worst"]:
            group = column["groups"][column["worst"]]
            out.append(f"By {by} it is lowest on {column['worst']}: UAR {group['uar']:.3f}, {group['n_clips']} clips.")
    if sets := (metrics.get("conformal") or {}).get("0.9"):
        out.append(
            f"Label sets asked to hold the truth of 90 % hold it of {100 * sets['lowest']:.0f} % for one speaker."
        )
    if not (ranking := metrics.get("confidence_ranks", {"ranks": True}))["ranks"]:
        out.append(selective.ranking_sentence(ranking))
    return [*out, *warnings(run)]


def text(run: Finished) -> str:
    """Return the model card in Markdown; labels and names of other people's files are plain text in it."""
    run = replace(run, metrics=markdown(run.metrics), card=markdown(run.card), config=markdown(run.config))
    metrics = run.metrics
    evaluations = [
        (markdown(folder.name), uar_text(other), read_protocol(other["protocol"]).describe())
        for folder, other in run.evaluations()
    ]
    return html.environment.get_template("model_card.md.jinja").render(
        run=run,
        metrics=metrics,
        recipe=recipe(run),
        intended=INTENDED,
        out_of_scope=OUT_OF_SCOPE,
        protocol=read_protocol(metrics["protocol"]).describe(),
        promise=promise(metrics["protocol"]),
        uar=uar_text(metrics),
        guessing=guessing.sentence(metrics, run.chance),
        evaluations=evaluations,
        limits=limits(run),
        licences=run.licences("corpora", "features", "models"),
    )
