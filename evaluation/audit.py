"""Say whether finished runs learned from what they were tested on.

It reads which clips went into what, as the running code noted them (audit.parquet), not what the config asked for,
prints the verdict and writes it into metrics.json. Exit status 1: a run leaks, or has no record. The rules are in
evaluation/leakage/rules.py.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.checkpoint import finished
from evaluation.leakage import record
from evaluation.leakage.rules import judge
from evaluation.leakage.text import verdict_lines
from utils import cli
from utils import config as configs
from utils.errors import ConfigError
from utils.whole_file import write_text


def audited(checkpoint: Path) -> dict[str, Any]:
    """Return the audit of a finished run, read off its record, and write it into its metrics.json.

    Raises:
        ConfigError: no finished run.
    """
    path = checkpoint / "metrics.json"
    if not path.is_file():
        raise ConfigError(f"{checkpoint}: no metrics.json in it. Give a folder that train.py wrote, checkpoints/NAME.")
    config = configs.read(checkpoint / "config.yaml")
    path_of_record = checkpoint / record.FILE
    table = record.read(path_of_record) if path_of_record.exists() else record.SCHEMA.empty_table()
    audit = judge(table, config, members=finished.member_verdicts(checkpoint.parent, config))
    metrics = json.loads(path.read_text(encoding="utf8"))
    write_text(path, json.dumps(metrics | {"audit": audit}, indent=1, allow_nan=False) + "\n")
    return audit


def main(argv: Sequence[str] | None = None) -> int:
    parser = cli.parser(__doc__, "python -m evaluation.audit --checkpoint checkpoints/demo_svm")
    parser.add_argument("--checkpoint", nargs="+", type=Path, default=[], metavar="DIR", help="finished runs")
    parser.add_argument("--config", nargs="+", type=Path, default=[], metavar="YAML", help="the runs of these configs")
    cli.add_checkpoints_option(parser)
    options = parser.parse_args(argv)
    folders = options.checkpoint + [_folder(path, options) for path in options.config]
    if not folders:
        parser.error("give --checkpoint DIR or --config YAML")
    worst = 0
    for folder in folders:
        audit = audited(folder)
        sys.stdout.write("\n".join([str(folder), *verdict_lines(audit)]) + "\n")
        worst = max(worst, audit["verdict"] in ("leaks", "not audited"))
    return worst


def _folder(path: Path, options: argparse.Namespace) -> Path:
    """The finished run of a config."""
    config = configs.read(path)
    folder = options.checkpoints / config.name
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: not trained yet, and the audit reads what training did. Run train.py --config {path}"
        )
    if changed := configs.changed_keys(folder / "config.yaml", config):
        raise ConfigError(f"{folder}: was trained with another {', '.join(changed)} than {path} has. Train it again.")
    return folder


if __name__ == "__main__":
    cli.run(main)
