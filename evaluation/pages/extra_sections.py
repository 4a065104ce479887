"""The sections of a report on what other tools have added to a checkpoint, and on its use and making."""

from evaluation.checkpoint.finished import Finished
from evaluation.checkpoint.protocol import read as protocol_of
from evaluation.pages import html, model_card
from evaluation.pages.html import Section, section, tag
from evaluation.pages.sections import figures, picture
from evaluation.scores import glossary

EXTRAS = (  # files that other tools leave, by their stem
    ("robustness", "Through other channels", "The same clips through telephones, noise, rooms and codecs."),
    ("lengths", "Clips cut short", "The same clips cut to a few seconds, tested and trained at each length."),
    ("matrix", "Corpus by corpus", "Trained on the corpus of the row, tested on that of the column."),
    ("explanations/explanations", "What it listens to", "And whether these maps can be believed."),
)


def elsewhere(run: Finished) -> Section | None:
    """Return what evaluate.py found on other clips."""
    parts = []
    for folder, found in run.evaluations():
        lo, hi = found["uar_ci95"]
        own = (glossary.name("uar"), html.number(found["uar"]), f"95 % interval [{lo:.3f}, {hi:.3f}].")
        known = found | {"chance": 1 / len(found["labels"])}
        parts += [
            tag("h3", folder.name),
            tag("p", protocol_of(found["protocol"]).describe(), "."),
            html.figures([own]),
            figures(known, ("chance", "accuracy", "ece", "n_clips", "n_speakers")),
            picture(folder, "confusion.png", f"Confusion matrix on {folder.name}"),
        ]
    words = "The same model, unchanged, on clips that it was not made for."
    return section("On other recordings", tag("p", words), *parts) if parts else None


def honesty(run: Finished) -> Section | None:
    """Return the honesty table: known speakers, strangers, another corpus."""
    rows = run.table("honesty.csv")
    if not rows:
        return None
    parts = []
    for row in rows:
        counts = f"{row['protocol']}, {row['n_clips']} clips, {row['n_speakers']} speakers"
        interval = f"[{float(row['uar_lo']):.3f}, {float(row['uar_hi']):.3f}]"
        parts.append((row["tested_on"], f"{float(row['uar']):.3f}", f"{row['meaning']} {counts}, 95 % in {interval}."))
    words = "The same model asked three ways; UAR."
    return section("Known speakers, strangers, another corpus", tag("p", words), html.figures(parts))


def attached(run: Finished) -> list[Section]:
    """Return a section for each kind of file that another tool has left: its pictures, its text or its table."""
    found = []
    for stem, title, words in EXTRAS:
        path = run.folder / stem
        if stem == "matrix" and not path.with_suffix(".txt").is_file():  # train.py --matrix: a folder of its own
            path = run.folder.with_name(f"{run.folder.name}_matrix") / stem
        alone = "/" not in stem
        pictures = [path.with_suffix(".png")] if alone else sorted(path.parent.glob("*.png"))
        shown = [html.image(image, f"{title}: {image.stem}") for image in pictures if image.is_file()]
        text = path.with_suffix(".txt")
        if text.is_file():
            shown.append(tag("pre", text.read_text(encoding="utf8")))
        elif rows := run.table(f"{stem}.csv"):
            shown.append(html.table(list(rows[0]), [list(row.values()) for row in rows]))
        if shown:
            found.append(section(title, tag("p", words), *shown))
    return found


def use(run: Finished) -> Section:
    """Return what it is for, what it is not for, and what binds who uses it."""
    terms = [
        tag("span", tag("b", name), f": {licence}.") for name, licence in run.licences("corpora", "features", "models")
    ]
    return section(
        "Use and limits",
        tag("h3", "For"), html.bullets(model_card.INTENDED),
        tag("h3", "Not for"), html.bullets(model_card.OUT_OF_SCOPE),
        tag("h3", "Limits"), html.bullets(model_card.limits(run)),
        tag("h3", "Licences"), html.bullets(terms),
    )  # fmt: skip


def made(run: Finished) -> Section:
    """Return how it can be made again."""
    config = (run.folder / "config.yaml").read_text(encoding="utf8")
    versions = ", ".join(f"{name} {number}" for name, number in run.card["versions"].items())
    return section(
        "How it was made",
        tag("p", model_card.recipe(run)),
        html.figures([(glossary.name("seconds"), f"{run.metrics['seconds']:,.0f}", glossary.meaning("seconds"))]),
        html.folded("The complete config", tag("pre", config)),
        tag("p", tag("small", f"Made with {versions}.")),
    )
