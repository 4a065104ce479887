"""The sections of a report, each from what the checkpoint holds; None where it does not hold it.

The words are in ``templates/report.html.jinja``; here is what they are filled with.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evaluation.checkpoint.finished import Finished
from evaluation.checkpoint.protocol import read as read_protocol
from evaluation.pages import excerpts, html, model_card
from evaluation.pages.html import Section
from evaluation.scores import glossary, guessing, selective

WORDS = html.macros("report.html.jinja")
PARTS = html.macros("parts.html.jinja")
VALIDATION = {
    "none": "No validation set was used: no training was stopped by one, and no setting chosen.",
    "speakers": "Early stopping looked at other speakers than those trained on and those tested.",
    "clips": "Early stopping looked at other clips than those trained on and those tested.",
    "official": "Early stopping looked at the corpus's own development set.",
}
ATTACHED = (  # files that other tools leave: stem, title of the section, what they show
    ("robustness", "Through other channels", "The same clips through telephones, noise, rooms and codecs."),
    ("lengths", "Clips cut short", "The same clips cut to a few seconds, tested and trained at each length."),
    ("matrix", "Corpus by corpus", "Trained on the corpus of the row, tested on that of the column."),
    ("explanations/explanations", "What it listens to", "And whether these maps can be believed."),
)


def head(run: Finished) -> Markup:
    """Return what one sees first: who was tested by what, then the UAR with its interval."""
    protocol = run.metrics["protocol"]
    return WORDS.head(
        run=run,
        protocol=read_protocol(protocol).describe(),
        promise=model_card.promise(protocol),
        recipe=model_card.recipe(run),
        guessing=guessing.sentence(run.metrics, run.chance),
        honest=model_card.can_be_quoted(run),
        warnings=model_card.warnings(run),
    )


def tested(run: Finished) -> Section:
    """Return how it was tested."""
    validation = [VALIDATION[word] for word in run.metrics["protocol"]["validation"].split(", ") if word in VALIDATION]
    folds = [
        (fold["name"], fold["n_clips"], fold["uar"], _shortened(", ".join(fold["test_speakers"])))
        for fold in run.metrics["folds"]
    ]
    findings = [
        (finding["severity"], finding["kind"], finding["text"], finding["clips"])
        for finding in (run.metrics.get("audit") or {}).get("findings", ())
    ]
    content = WORDS.tested(run=run, validation=validation, folds=folds, findings=findings)
    return Section("How it was tested", content)


def _shortened(speakers: str) -> str:
    return speakers if len(speakers) < 90 else f"{speakers[:88]}…"


def scores(run: Finished) -> Section:
    """Return the overall scores and those of each emotion."""
    interval = (glossary.name("uar_ci95"), _interval(run.metrics["uar_ci95"]), glossary.meaning("uar_ci95"))
    columns = ("precision", "recall", "f1", "support")
    per_class = [(label, *(row[key] for key in columns)) for label, row in run.metrics["per_class"].items()]
    uar_figures = [*html.figures(run.metrics, ["uar"]), interval]
    return Section("Scores", WORDS.scores(run=run, uar_figures=uar_figures, per_class=per_class))


def information(run: Finished) -> Section | None:
    """Return what knowing the speaker's voice changes, where the model can take it."""
    known = {key: value for key, value in run.metrics["by_information"].items() if value is not None}
    return Section("What it helps to know the speaker", WORDS.information(known=known)) if len(known) > 1 else None


def held_out(run: Finished) -> Section | None:
    """Return the shipped model's scores on speakers kept out of everything."""
    held_out_scores = run.metrics.get("holdout")
    return Section("Held-out speakers", WORDS.held_out(scores=held_out_scores)) if held_out_scores else None


def protocol_comparison(run: Finished) -> Section | None:
    """Return the scores on seen speakers, on unseen speakers and on another corpus (``train.py --honesty``)."""
    rows = []
    for row in run.table("honesty.csv"):
        counts = f"{row['protocol']}, {row['n_clips']} clips, {row['n_speakers']} speakers"
        interval = f"[{float(row['uar_lo']):.3f}, {float(row['uar_hi']):.3f}]"
        rows.append((row["tested_on"], f"{float(row['uar']):.3f}", f"{row['meaning']} {counts}, 95 % in {interval}."))
    content = WORDS.protocol_comparison(rows=rows)
    return Section("Seen speakers, unseen speakers, another corpus", content) if rows else None


def other_clips(run: Finished) -> Section | None:
    """Return the scores on other clips (``evaluate.py``)."""
    evaluations = []
    for folder, metrics in run.evaluations():
        (lo, hi), chance = metrics["uar_ci95"], metrics.get("chance", 1 / len(metrics["labels"]))
        meaning = f"95 % interval [{lo:.3f}, {hi:.3f}]. {guessing.sentence(metrics, chance)}"
        evaluations.append({
            "name": folder.name,
            "folder": folder,
            "protocol": read_protocol(metrics["protocol"]).describe(),
            "uar_figures": [(glossary.name("uar"), html.number(metrics["uar"]), meaning)],
            "metrics": metrics | {"chance": chance},
            "ranking": _ranking(metrics),
        })  # fmt: skip
    return Section("On other recordings", WORDS.other_clips(evaluations=evaluations)) if evaluations else None


def _ranking(metrics: Mapping[str, Any]) -> str:
    """Return whether confidence ranks the answers, "" of a run that an older version wrote."""
    ranking = metrics.get("confidence_ranks")
    return selective.ranking_sentence(ranking) if ranking else ""


def groups(run: Finished) -> Section | None:
    """Return for whom it works, the worst group of each kind named."""
    rows = []
    for by, column in (run.metrics.get("subgroups") or {}).items():
        if column["worst"] is None:
            continue
        large = {name: group for name, group in column["groups"].items() if not group["small"]}
        best = max(large, key=lambda name: large[name]["uar"])
        ends = [(name, large[name]["uar"], _interval(large[name]["uar_ci95"])) for name in (column["worst"], best)]
        rows.append((by, *ends[0], *ends[1], len(large)))
    return Section("Who it works for", WORDS.groups(run=run, rows=rows)) if rows else None


def _interval(ends: Sequence[float] | None) -> str | None:
    return f"[{ends[0]:.3f},\N{NO-BREAK SPACE}{ends[1]:.3f}]" if ends else None


def calibration(run: Finished) -> Section:
    """Return how well its probabilities match its accuracy."""
    metrics, changes = run.metrics, run.metrics.get("calibration") or {}
    answered = metrics.get("abstaining") if metrics.get("confidence_ranks", {}).get("ranks", True) else ()
    before_and_after = [
        (glossary.name(key), changes[key]["before"], changes[key]["after"])
        for key in ("ece", "brier", "log_loss") if changes
    ]  # fmt: skip
    abstaining = [(f"{row['coverage']:.0%}", row["below"], row["n_clips"], row["accuracy"]) for row in answered or ()]
    content = WORDS.calibration(
        run=run,
        metrics=metrics | {"temperature": changes.get("temperature")},
        before_and_after=before_and_after,
        ranking=_ranking(metrics),
        abstaining=abstaining,
        label_sets=_label_sets(metrics.get("conformal") or {}),
    )
    return Section("How sure it may be", content)


def _label_sets(conformal: Mapping[str, Mapping[str, Any]]) -> list[tuple]:
    return [
        (f"{float(asked):.0%}", f"{row['coverage']:.1%}", row["mean_size"],
         f"{row['lowest']:.0%}, {row['lowest_group']}")
        for asked, row in conformal.items()
    ]  # fmt: skip


def errors(run: Finished, *, audio: bool) -> Section | None:
    """Return its most confident errors, playable where the recordings are at hand."""
    rows = run.table("errors.csv")
    if not rows:
        return None
    clips = [excerpts.encoded(Path(row["path"])) if audio and row["path"] else None for row in rows]
    header = ["truth", "predicted", "probability", "probability of the truth", "clip"]
    cells = [[row["truth"], row["predicted"], float(row["p"]), float(row["p_truth"]), row["id"]] for row in rows]
    if any(clips):
        header.insert(2, "listen")
        for row, clip in zip(cells, clips, strict=True):
            row.insert(2, PARTS.audio(clip) if clip else "not at hand")
    content = WORDS.errors(header=header, rows=cells, players=any(clips), licences=run.licences("corpora"))
    return Section("Its most confident errors", content)


def attached(run: Finished) -> list[Section]:
    """Return a section for each kind of file that another tool has left: its pictures, its text or its table."""
    sections = []
    for stem, title, words in ATTACHED:
        path = run.folder / stem
        if stem == "matrix" and not path.with_suffix(".txt").is_file():  # train.py --matrix: a folder of its own
            path = run.folder.with_name(f"{run.folder.name}_matrix") / stem
        pictures = sorted(path.parent.glob("*.png")) if "/" in stem else [path.with_suffix(".png")]
        images = [picture for picture in pictures if picture.is_file()]
        file = path.with_suffix(".txt")
        text = file.read_text(encoding="utf8") if file.is_file() else None
        rows = run.table(f"{stem}.csv") if text is None else []
        if images or text is not None or rows:
            content = WORDS.attached(
                words=words, images=images, title=title, text=text,
                header=list(rows[0]) if rows else [], rows=[list(row.values()) for row in rows],
            )  # fmt: skip
            sections.append(Section(title, content))
    return sections


def curves(run: Finished) -> Section | None:
    """Return how a network learned."""
    path = run.folder / "curves.png"
    return Section("How it learned", WORDS.curves(path=path)) if path.is_file() else None


def use(run: Finished) -> Section:
    """Return what it is for, what it is not for, and the licences that bind its users."""
    content = WORDS.use(
        intended=model_card.INTENDED,
        out_of_scope=model_card.OUT_OF_SCOPE,
        limits=model_card.limits(run),
        licences=run.licences("corpora", "features", "models"),
    )
    return Section("Use and limits", content)


def made(run: Finished) -> Section:
    """Return how it can be made again."""
    config = (run.folder / "config.yaml").read_text(encoding="utf8")
    seconds = [(glossary.name("seconds"), f"{run.metrics['seconds']:,.0f}", glossary.meaning("seconds"))]
    recipe = model_card.recipe(run)
    return Section("How it was made", WORDS.made(run=run, recipe=recipe, config=config, seconds=seconds))
