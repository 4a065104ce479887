"""Show what a trained model answers by, on clips it has not heard: attention, maps, importance, and if they hold."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils import bars, cli
from utils.plugins import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from evaluation.checkpoint import finished
    from evaluation.pages import report
    from utils.errors import ConfigError

    if not (options.checkpoint / "model.json").is_file():
        raise ConfigError(
            f"{options.checkpoint}: no model.json in it. Give a folder that train.py wrote, checkpoints/NAME."
        )
    run = finished.member(options.checkpoint)
    if run.config.members:
        raise ConfigError(
            f"{run.name}: an ensemble is explained by its members. Give one: "
            f"{', '.join(str(options.checkpoint.parent / name) for name in run.config.members)}."
        )
    folder, status = options.checkpoint / "explanations", 0
    if options.file:
        folder /= "clips"
        status = _explain_files(run, options.file, folder)
    else:
        print(_explain_run(run, folder, options), end="")
        report.refresh(options.checkpoint)
    print(f"pictures and figures: {folder}")
    return status


def _explain_run(run, folder: Path, options: argparse.Namespace) -> str:
    """Write explanations.json, explanations.txt and their pictures; return the text."""
    from evaluation.explanations import explain as explanations
    from evaluation.explanations import text as explanation_text
    from evaluation.training import fit
    from extract_feats.cache import read as load
    from utils import plots
    from utils.plots import explanations as explanation_plots

    given = argparse.Namespace(
        config=[options.checkpoint / "config.yaml"], set=[], features=options.features, limit=None
    )
    trained = run.card["protocol"].get("limit")
    data = load.dataset(run.config, options.features, command=cli.preprocess_command(given), limit=trained)
    with bars.progress("training folds again", "folds") as report:
        parts, which = explanations.unheard(data, run.config, options.checkpoint, folds=options.folds, report=report)
    if fit.fingerprint(data, fit.initial_weights(run.config)) != run.card["fingerprint"]:
        which += ". Its clips, features or first weights are no longer those that the checkpoint was trained on"
    found = explanations.of_run(parts, run.config, which, limit=options.limit or 5, progress=bars.progress)
    pictures = {f"{name}.png": explanation_plots.maps(one, title=f"{run.name}: {name}")
                for name, one in found["maps"].items() if name != "attention"}  # fmt: skip
    pictures["faithfulness.png"] = explanation_plots.faithfulness(found["maps"], title=run.name)
    if "attention" in found:
        pictures["attention.png"] = explanation_plots.attention(found["attention"], title=f"{run.name}: attention")
    if "importance" in found:
        pictures["importance.png"] = explanation_plots.importance(found["importance"], title=run.name)
    for name, figure in pictures.items():
        plots.save(figure, folder / name)
    said = explanation_text.text(found)
    _json(folder / "explanations.json", found)
    (folder / "explanations.txt").write_text(said, encoding="utf8")
    return said


def _explain_files(run, files: Sequence[Path], folder: Path) -> int:
    """Explain recordings by the shipped model, and say what comes out; return 1 if one could not be read."""
    from evaluation.explanations import explain as explanations
    from evaluation.explanations import text as explanation_text
    from prediction.answers import distinct
    from prediction.extractor import Extractor
    from utils.audio.prepare import read_wave
    from utils.errors import DataError

    extract, status = Extractor(run.card), 0
    model = explanations.shipped(run.folder, run.config, run.card["labels"])
    names = distinct([str(file) for file in files])
    for file in files:
        name = names[str(file)]
        try:
            clip, wave = extract(file), read_wave(file, run.config.rate, **run.config.clip.model_dump())
        except DataError as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            status = 1
            continue
        found = explanations.of_clip(model, clip, run.config)
        title = f"{file.name}: {found['answer']} ({found['probability']:.2f}), by {run.name}"
        _draw_clip(run.config, model, clip, wave, found, title=title, path=folder / f"{name}.png")
        _json(folder / f"{name}.json", {"file": str(file), "name": run.name} | found)
        print(explanation_text.of_clip(found, title))
    return status


def _draw_clip(config, model, clip, wave, found: Mapping, *, title: str, path: Path) -> None:
    from evaluation.explanations import attention_curves
    from utils import plots
    from utils.plots import explanations as explanation_plots

    seconds = len(wave) / config.rate
    decibels, khz = plots.levels(wave, config.rate)
    attended = attention_curves.at(model, clip, config, seconds) if "attention" in found["maps"] else None
    figure = explanation_plots.clip(decibels, seconds, khz, found["maps"], attention=attended, title=title)
    plots.save(figure, path)


def _json(path: Path, content: Mapping) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf8")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python explain.py --checkpoint checkpoints/demo_svm")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="a trained model")
    parser.add_argument(
        "--file", type=Path, nargs="+", metavar="WAV", help="explain these recordings, by the shipped model"
    )
    parser.add_argument("--limit", type=cli.positive, metavar="N", help="maps of only N clips a class (5)")
    parser.add_argument(
        "--folds", type=cli.positive, metavar="N", help="folds to train again (all of an estimator, 1 of a network)"
    )
    parser.add_argument("--features", type=Path, default=ROOT / "features", metavar="DIR", help="the cache (features/)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
