"""Make the pictures of the documentation, docs/images/*.png.

Each picture states in its metadata what it shows: runs, figures, clips. Tests
compare captions, alternative texts and tables with it, so that a picture and the
words beside it cannot come to differ.

`comparison` and `radar` read finished runs (train.py), `tsne` cached features
(preprocess.py), `page` a finished run, one clip of RAVDESS below $SER_DATA, and
Chromium by Playwright.
"""

import argparse
import csv
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from docs import web_page
from utils import cli
from utils.errors import DataError
from utils.plugins import ROOT

IMAGES = ROOT / "docs/images"
FACTS = "Description"  # the PNG's text that holds what the picture shows, as JSON
Facts = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """How a picture is drawn: ``draw(path, options, **source)`` writes it and returns the figures that it shows."""

    draw: Callable[..., Facts]
    source: Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    for name in options.names or PICTURES:
        picture = PICTURES[name]
        with tempfile.TemporaryDirectory() as folder:
            drawn = Path(folder) / f"{name}.png"
            facts = {**picture.source, **picture.draw(drawn, options, **picture.source)}
            _write(drawn, options.out / f"{name}.png", facts)
        sys.stdout.write(f"{options.out / name}.png: {json.dumps(facts, ensure_ascii=False)}\n")
    return 0


def facts(path: Path) -> Facts:
    """Return what a picture shows: its source in PICTURES, and the figures as they are drawn.

    Raises:
        KeyError: the picture was not made by this module.
    """
    with Image.open(path) as image:
        return json.loads(image.text[FACTS])


def _write(drawn: Path, path: Path, shown: Facts) -> None:
    stated = PngInfo()
    stated.add_itxt(FACTS, json.dumps(shown, ensure_ascii=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(drawn) as image:
        image.save(path, optimize=True, dpi=image.info.get("dpi", (96, 96)), pnginfo=stated)


def _comparison(path: Path, options: argparse.Namespace, *, runs: Sequence[str]) -> Facts:
    """Draw finished runs side by side, as train.py does with several configs."""
    from evaluation.studies import comparison

    rows = comparison.compare([options.checkpoints / run for run in runs])
    comparison.write(rows, path.with_suffix(".csv"))  # and the picture beside it
    figures = {row["name"]: [round(row[key], 3) for key in ("uar", "uar_lo", "uar_hi")] for row in rows}
    return {"uar": figures, "guessing": round(1 / rows[0]["n_classes"], 3), "protocol": rows[0]["protocol"]}


def _radar(path: Path, options: argparse.Namespace, *, run: str, clip: str) -> Facts:
    """Draw the out-of-fold probabilities of a clip: of the model that was not trained on its speaker."""
    from utils.plots import radar, save

    with (options.checkpoints / run / "predictions.csv").open(encoding="utf8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["id"] == clip]
    if not rows:
        raise DataError(f"{options.checkpoints / run}: has no prediction of {clip}.")
    shares = {key.removeprefix("p_"): float(value) for key, value in rows[0].items() if key.startswith("p_")}
    save(radar(list(shares.values()), list(shares), title=rows[0]["predicted"]), path)
    percent = {label: round(100 * share) for label, share in shares.items()}
    return {"truth": rows[0]["truth"], "predicted": rows[0]["predicted"], "percent": percent}


def _tsne(path: Path, options: argparse.Namespace, *, config: str) -> Facts:
    """Draw the map of the clips that explore.py makes."""
    import explore

    out = path.parent / "explorations"
    explore.main(["--config", str(ROOT / config), "--features", str(options.features), "--out", str(out)])
    (drawn,) = out.glob("*/tsne.png")
    shutil.copy(drawn, path)
    return {"name": drawn.parent.name}


def _page(path: Path, options: argparse.Namespace, *, run: str, clip: str) -> Facts:
    """Photograph the web page with one clip uploaded."""
    from utils.config import Config

    audio = [file for file in (Config.data_folder() / "RAVDESS").rglob(f"{clip}.*") if file.is_file()]
    if not audio:
        raise DataError(f"{Config.data_folder() / 'RAVDESS'}: holds no {clip}. Set SER_DATA.")
    return {"predicted": web_page.photograph(path, options.checkpoints, run, audio[0])}


PICTURES = {
    "comparison": Picture(
        _comparison,
        {
            "runs": [
                "ravdess_ensemble", "ravdess_dense_compare", "ravdess_svm_compare", "ravdess_svm_is10",
                "ravdess_cnn1d_is10",
            ]
        },
    ),
    "radar": Picture(_radar, {"run": "ravdess_svm_compare", "clip": "ravdess/03-01-06-02-02-01-19"}),
    "tsne": Picture(_tsne, {"config": "config/ravdess_svm_is10.yaml"}),
    "page": Picture(_page, {"run": "ravdess_svm_is10", "clip": "03-01-02-01-01-02-01"}),
}  # fmt: skip


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python -m docs.pictures comparison radar")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(PICTURES)}; all if none is named")
    cli.add_checkpoints_option(parser)
    parser.add_argument("--features", type=Path, default=ROOT / "features", metavar="DIR", help="the cache (features/)")
    parser.add_argument("--out", type=Path, default=IMAGES, metavar="DIR", help="where to write them (docs/images/)")
    options = parser.parse_args(argv)
    if unknown := set(options.names) - set(PICTURES):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}. Known: {', '.join(PICTURES)}")
    return options


if __name__ == "__main__":
    cli.run(main)
