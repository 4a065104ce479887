"""Progress of long steps: bars on a terminal of 80 columns, plain lines in a log; and what --help shows there."""

import os
import re
import subprocess
import sys

import pytest

from utils import bars
from utils.plugins import ROOT

pty = pytest.importorskip("pty", reason="a pseudo-terminal is what this is about")
STEPS = """
import time
from utils import bars
with bars.progress("opensmile-ComParE_2016", "clips") as report:
    for done in range(1, 5):
        time.sleep(.3)
        report(250 * done, 1000)
line = {"fold": 1, "folds": 6, "name": "fold 1", "run": 1, "runs": 2, "device": "CPU:0"}
with bars.training("ravdess_stacked_cnn_attention_lstm") as report:
    for epoch in range(1, 5):
        time.sleep(.3)
        report(line | {"epoch": epoch, "epochs": 120, "loss": 1.25, "val_uar": .5, "seconds_each": .3,
                       "seconds_left": 36.})
    report({"fold": 1, "folds": 6, "name": "fold 1", "uar": .5})
print("done")
"""
SCRIPTS = [path.name for path in sorted(ROOT.glob("*.py")) if "cli.parser(" in path.read_text(encoding="utf8")]
MODULES = ["evaluation.audit", "evaluation.report", "evaluation.glossary", "corpora.download", "corpora.demo",
           "extract_feats.convert", "extract_feats.download", "distillation", "distillation.prompts"]  # fmt: skip


def on_a_terminal(code: str) -> tuple[str, str]:
    """Return what a program writes to standard output and, a terminal 80 columns wide, to standard error."""
    here, there = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=there, env=environment, text=True
    )
    os.close(there)
    shown = b""
    while True:
        try:
            shown += (read := os.read(here, 65536))
        except OSError:  # how Linux says that the other end is closed
            break
        if not read:
            break
    os.close(here)
    out = process.communicate()[0]
    assert process.returncode == 0, shown
    return out, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_a_terminal_gets_bars_with_rate_and_time_left_and_standard_output_nothing_of_them():
    out, shown = on_a_terminal(STEPS)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", shown) if line.strip()]
    assert out == "done\n"
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"opensmile-ComParE_2016 ━.* (500|750)/1000 clips \d+\.\d/s 00:0\d", line) for line in lines)
    assert any(re.search(r"fold 1/6 run 1 ━.* [234]/120 loss 1.250 UAR 0.500 0.3 s each", line) for line in lines)
    assert "ravdess_stacked_cnn_attention_lstm trains on CPU:0" in lines
    assert "ravdess_stacked_cnn_attention_lstm fold 1/6 (fold 1): UAR 0.500" in lines


def test_a_log_gets_plain_lines(monkeypatch, capsys):
    monkeypatch.setattr(bars, "STEPS_EVERY", 0.0)
    monkeypatch.setattr(bars, "EPOCHS_EVERY", 0.0)
    with bars.progress("scanning") as report:
        report(0, 10)
        report(5, 10)
    with bars.progress("search", "trials", quiet=True) as report:
        report(5, 10)
    with bars.training("run") as report:
        epoch = {"epoch": 3, "epochs": 9, "loss": 0.5, "seconds_each": 2.0, "seconds_left": 12.0, "device": "CPU:0"}
        report({"fold": 0, "folds": 4, "name": "shipped"} | epoch)
        report({"fold": 2, "folds": 4, "name": "fold 2", "uar": 0.25})
        report({"fold": 3, "folds": 4, "name": "fold 3", "uar": 0.5, "cached": True})
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"scanning: 5/10 clips, \d+\.\d/s, \d+ s left", lines[0])
    assert lines[1:] == [
        "run trains on CPU:0",
        "run shipped model: epoch 3/9 loss 0.500 2.0 s each, at most 12 s left",
        "run fold 2/4 (fold 2): UAR 0.250",
        "run fold 3/4 (fold 3): kept from before",
    ]


def test_a_short_step_says_nothing_in_a_log(capsys):
    with bars.progress("scanning") as report:
        report(5, 10)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [*SCRIPTS, *(f"-m {module}" for module in MODULES)])
def test_help_ends_with_an_example_and_is_80_columns_wide(command):
    said = subprocess.run(
        [sys.executable, *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "80"},
    ).stdout  # fmt: skip
    assert [line for line in said.splitlines() if len(line) > 80] == []
    examples = re.search(r"\nexamples?:\n((?:  .+\n)+)", said)[1]
    assert said.endswith(examples) and f"  python {command}" in examples
