"""The sections of a report on the run itself, each from what the checkpoint holds; None where it does not hold it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.checkpoint.finished import Finished
from evaluation.checkpoint.protocol import read as protocol_of
from evaluation.pages import excerpts, html, model_card
from evaluation.pages.html import Markup, Section, section, tag
from evaluation.scores import glossary

VALIDATION = {
    "none": "No training was stopped, and no setting chosen, by a validation set.",
    "speakers": "When to stop was decided on other speakers than those learned from and those tested.",
    "clips": "When to stop was decided on other clips than those learned from and those tested.",
    "official": "When to stop was decided on the corpus's own development set.",
}
AUDIT = "what each model really learned from, as the running code noted it, against the clips it was tested on"


def figures(found: Mapping[str, Any], keys: Sequence[str]) -> Markup:
    """Return the numbers of those names that are there, each with its meaning."""
    return html.figures(
        (glossary.name(key), html.number(found[key]), glossary.meaning(key))
        for key in keys
        if found.get(key) is not None
    )


def explained(keys: Sequence[str]) -> Markup:
    """Return what the columns of a table mean."""
    return tag("p", tag("small", " ".join(f"{glossary.name(key)}: {glossary.TERMS[key].brief}." for key in keys)))


def picture(folder: Path, name: str, alt: str, caption: str = "") -> Markup | None:
    """Return a picture that lies in the folder, if it does."""
    return html.image(folder / name, alt, caption=caption) if (folder / name).is_file() else None


def head(run: Finished) -> Markup:
    """Return what one sees first: who was tested by what, then the UAR with its interval."""
    found, protocol = run.metrics, run.metrics["protocol"]
    badge = tag("span", protocol_of(protocol).describe(), class_="good" if model_card.honest(run) else "bad")
    (lo, hi), uar = found["uar_ci95"], found["uar"]
    who = "speakers" if found["n_speakers"] > 1 else "clips"
    says = f"UAR {uar:.3f}, 95 % interval {lo:.3f} to {hi:.3f}, guessing {run.chance:.3f}"
    few = "" if found["uar_ci95_informative"] else " (too few to mean much)"
    interval = f"95 % interval [{lo:.3f}, {hi:.3f}] over {found['n_' + who]} {who}{few}"
    return html.join([
        tag("h1", found["name"]),
        tag("p", tag("small", model_card.recipe(run))),
        tag("p", badge),
        tag("p", model_card.promise(protocol)),
        tag("p", tag("b", f"{uar:.3f}"), tag("span", "UAR, ", interval), class_="lead"),
        html.interval(uar, lo, hi, mark=run.chance, says=says),
        tag("p", tag("small", glossary.meaning("uar"), f" Orange line: guessing, {run.chance:.3f}. Bar: 0 to 1.")),
        *(tag("p", text, class_="warning") for text in model_card.warnings(run)),
    ])  # fmt: skip


def tested(run: Finished) -> Section:
    """Return how it was tested."""
    found, protocol = run.metrics, run.metrics["protocol"]
    rules = [VALIDATION[word] for word in protocol["validation"].split(", ") if word in VALIDATION]
    held = f"Speakers kept out of everything and scored last: {', '.join(protocol['holdout'])}."
    started = f"Started from {protocol['init']}." if protocol.get("init") else None
    joined = (
        f"Joined from {', '.join(protocol['members'])}; combine: {protocol['combine']}."
        if "members" in protocol
        else None
    )
    words = [*rules, held if protocol["holdout"] else None, started, joined]
    folds = [(fold["name"], fold["n_clips"], fold["uar"], ", ".join(fold["test_speakers"])) for fold in found["folds"]]
    fewest = [(*row[:3], row[3] if len(row[3]) < 90 else f"{row[3][:88]}…") for row in folds]
    return section(
        "How it was tested",
        tag("p", " ".join(filter(None, words))),
        figures(found, ("n_clips", "n_speakers")),
        *_audit(found.get("audit")),
        html.folded("The folds", html.table(("fold", "clips", "UAR", "test speakers"), fewest)),
    )


def _audit(found: Mapping[str, Any] | None) -> list[Markup]:
    if not found:
        return []
    verdict = tag("span", found["verdict"], class_="good" if found["verdict"] == "clean" else "bad")
    rows = [(f["severity"], f["kind"], f["text"], f["clips"]) for f in found["findings"]]
    listed = [html.table(("severity", "where", "what", "clips"), rows)] if rows else []
    return [tag("p", "Leakage audit, ", AUDIT, ": ", verdict, " ", found["meaning"], "."), *listed]


def scores(run: Finished) -> Section:
    """Return the overall scores and those of each emotion."""
    keys = ("accuracy", "macro_f1", "weighted_f1", "macro_precision", "uar_fold_mean")
    interval = (glossary.name("uar_ci95"), _interval(run.metrics["uar_ci95"]), glossary.meaning("uar_ci95"))
    columns = ("precision", "recall", "f1", "support")
    rows = [(label, *(row[key] for key in columns)) for label, row in run.metrics["per_class"].items()]
    return section(
        "Scores",
        figures(run.metrics, ("uar",)),
        html.figures([interval]),
        figures({"chance": run.chance} | run.metrics, ("chance", *keys)),
        tag("h3", "Emotion by emotion"),
        html.table(("emotion", *map(glossary.name, columns)), rows),
        explained(columns[:3]),
        picture(run.folder, "confusion.png", "Confusion matrix", "Rows: what was meant; columns: what was heard."),
    )


def information(run: Finished) -> Section | None:
    """Return what knowing the speaker's voice changes, where the model can take it."""
    known = {key: value for key, value in run.metrics["by_information"].items() if value is not None}
    if len(known) < 2:
        return None
    return section(
        "What it helps to know the speaker",
        tag("p", "UAR by what is known of the test speaker's voice; no labels are used."),
        figures(known, tuple(known)),
    )


def held_out(run: Finished) -> Section | None:
    """Return the shipped model's scores on speakers kept out of everything."""
    held = run.metrics.get("holdout")
    if not held:
        return None
    who = f"{len(held['speakers'])} speakers, {held['n_clips']} clips: {', '.join(held['speakers'])}."
    words = f"The shipped model on speakers that nothing was learned from, chosen by or stopped by. {who}"
    return section("Held-out speakers", tag("p", words), figures(held, ("uar", "accuracy", "macro_f1", "ece")))


def sureness(run: Finished) -> Section:
    """Return what its probabilities are worth."""
    found, calibrated = run.metrics, run.metrics.get("calibration") or {}
    rows = [
        (key, calibrated[key]["before"], calibrated[key]["after"]) for key in ("ece", "brier", "log_loss") if calibrated
    ]
    changed = html.table(("", "before calibration", "as shipped"), [(glossary.name(row[0]), *row[1:]) for row in rows])
    return section(
        "How sure it may be",
        figures(found | {"temperature": calibrated.get("temperature")}, ("ece", "brier", "log_loss", "temperature")),
        changed if rows else None,
        picture(
            run.folder, "reliability.png", "Reliability diagram", "On the dashed line it is as sure as it is right."
        ),
        picture(run.folder, "confidence.png", "Confidence of right and wrong answers, and what abstaining gains"),
        _abstaining(found.get("abstaining")),
        _sets(found.get("conformal")),
    )


def _abstaining(rows: Sequence[Mapping[str, Any]] | None) -> Markup | None:
    if not rows:
        return None
    cells = [(f"{row['coverage']:.0%}", row["below"], row["n_clips"], row["accuracy"]) for row in rows]
    words = "With predict.py --abstain-below it names no emotion less probable than that."
    table = html.table(("answered", "--abstain-below", "clips", "accuracy"), cells)
    return html.join([tag("h3", "Staying silent"), tag("p", words), table])


def _sets(found: Mapping[str, Mapping[str, Any]] | None) -> Markup | None:
    if not found:
        return None
    rows = [
        (
            f"{float(asked):.0%}",
            f"{row['coverage']:.1%}",
            row["mean_size"],
            f"{row['lowest']:.0%}, {row['lowest_group']}",
        )
        for asked, row in found.items()
    ]
    words = (
        "With predict.py --coverage it names so many labels that the true one is among them as often as asked: on "
        "average over speakers like these, each held out in turn, not for each of them."
    )
    table = html.table(("asked", "held", "labels in a set", "held at worst, of"), rows)
    return html.join([tag("h3", "Sets of labels"), tag("p", words), table])


def groups(run: Finished) -> Section | None:
    """Return for whom it works, the worst group of each kind named."""
    judged = {by: column for by, column in (run.metrics.get("subgroups") or {}).items() if column["worst"] is not None}
    if not judged:
        return None
    rows = []
    for by, column in judged.items():
        fair = {name: group for name, group in column["groups"].items() if not group["small"]}
        best = max(fair, key=lambda name: fair[name]["uar"])
        ends = [(name, fair[name]["uar"], _interval(fair[name]["uar_ci95"])) for name in (column["worst"], best)]
        rows.append((by, *ends[0], *ends[1], len(fair)))
    words = "UAR of the lowest and the highest group. The lowest of many is low by chance too: mind the intervals."
    header = ("by", "lowest", "UAR", "95 %", "highest", "UAR", "95 %", "groups")
    shown = picture(run.folder, "subgroups.png", "UAR of every group with its interval")
    return section("Who it works for", tag("p", words), html.table(header, rows), shown)


def _interval(found: Sequence[float] | None) -> str | None:
    return f"[{found[0]:.3f},\N{NO-BREAK SPACE}{found[1]:.3f}]" if found else None


def errors(run: Finished, *, audio: bool) -> Section | None:
    """Return its most confident errors, playable where the recordings are at hand."""
    rows = run.table("errors.csv")
    if not rows:
        return None
    sounds = [excerpts.encoded(Path(row["path"])) if audio and row["path"] else None for row in rows]
    header = ["meant", "heard", "sure", "the truth got", "clip"]
    cells = [[row["truth"], row["predicted"], float(row["p"]), float(row["p_truth"]), row["id"]] for row in rows]
    note = "The recordings are not at hand, or were left out; with them, python -m evaluation.report adds players."
    if any(sounds):
        header.insert(2, "listen")
        for row, sound in zip(cells, sounds, strict=True):
            row.insert(2, html.audio(sound) if sound else "not at hand")
        whose = "; ".join(f"{name}: {licence}" for name, licence in run.licences("corpora"))
        note = (
            f"The clips are the corpus's, at most ten seconds of each as MP3. Pass this file on only as their licence "
            f"allows ({whose}), or build it with --no-audio."
        )
    words = f"The {len(rows)} errors it was surest of. Some may be the label's fault: listen."
    return section(
        "Its most confident errors", tag("p", words), html.table(header, cells), tag("p", tag("small", note))
    )


def curves(run: Finished) -> Section | None:
    """Return how a network learned."""
    shown = picture(
        run.folder,
        "curves.png",
        "Loss and UAR by epoch, every fold",
        "A line a fold; the epoch of the best validation UAR is kept.",
    )
    return section("How it learned", shown) if shown else None
