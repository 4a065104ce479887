"""One EmoBox fold of RAVDESS for every network, each with a shipped config.

A row is of four test speakers, 240 clips: the standard error is about .03, so small differences mean nothing.
Finished rows are stored in a CSV file, and a later call continues after them. preprocess.py caches the features first.

    python benchmarks/one_fold.py --epochs 20 --table one_fold.csv
"""

import argparse
import csv
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluation.scores.metrics import uar_score
from evaluation.splits.folds import draw_folds
from evaluation.training import fit
from extract_feats.cache import read
from utils import cli, config, plugins

COLUMNS = ("model", "config", "parameters", "uar", "best_epoch", "epochs", "cpu_seconds")


def main(argv=None) -> int:
    options = _options(argv)
    done = _read(options.table)
    for path in options.config or _configs():
        chosen = config.read(path, [f"train.epochs={options.epochs}", *options.set])
        if chosen.name not in {row["config"] for row in done}:
            done.append(_row(chosen, options))
            _write(options.table, done)
            print({key: done[-1][key] for key in ("model", "uar", "cpu_seconds")}, flush=True)
    print("\n".join(_markdown(sorted(done, key=lambda row: -float(row["uar"])))))
    return 0


def _configs() -> list[Path]:
    """Return the first config on RAVDESS's EmoBox folds of every network."""
    paths = {}
    for path in sorted(plugins.ROOT.glob("config/ravdess_*.yaml")):
        chosen = config.read(path)
        network = plugins.get("models", chosen.model["name"]).package == "models.dnn"
        if network and chosen.split.folds == "emobox" and not chosen.init and chosen.corpora[0]["channel"] == "speech":
            paths.setdefault(chosen.model["name"], path)
    return list(paths.values())


def _row(chosen: config.Config, options: argparse.Namespace) -> dict:
    command = f"python preprocess.py --config config/{chosen.name}.yaml"
    data = read.dataset(chosen, options.features, command=command)
    fold = draw_folds(data, chosen.split.model_dump(), seed=chosen.seed)[0]
    started = time.process_time()
    model, _ = fit.fit_fold(data, chosen, fold, 0, report=_print_epoch)
    test = data[fold.test]
    uar = uar_score(test.truth, model.probabilities(test.features).argmax(axis=1), len(data.labels))
    return {
        "model": chosen.model["name"], "config": chosen.name, "parameters": model.networks_[0].count_params(),
        "uar": round(uar, 3), "best_epoch": model.best_epoch,
        "epochs": len(model.histories[0]["loss"]), "cpu_seconds": round(time.process_time() - started),
    }  # fmt: skip


def _print_epoch(line: dict) -> None:
    if line.get("epoch", 1) % 5 == 0:
        print(f"  epoch {line['epoch']}: loss {line['loss']:.3f}, validation UAR {line['val_uar']:.3f}", flush=True)


def _markdown(rows: list[dict]) -> list[str]:
    lines = ["| network | config | parameters | best of epochs | UAR, fold 1 |", "|---|---|---|---|---|"]
    return lines + [
        f"| `{row['model']}` | `{row['config']}` | {int(row['parameters']):,} | {row['best_epoch']} of {row['epochs']} "
        f"| {float(row['uar']):.3f} |"
        for row in rows
    ]


def _read(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _options(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, nargs="+", metavar="YAML", help="in place of one config per network")
    parser.add_argument("--epochs", type=int, default=20, help="at most, in place of the configs' own (20)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further overrides")
    parser.add_argument("--table", type=Path, default=Path("one_fold.csv"), help="finished rows (one_fold.csv)")
    parser.add_argument("--features", type=Path, default=plugins.ROOT / "features", help="the cache")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
