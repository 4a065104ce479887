"""preprocess.py as people run it: its last line, its exit status, two at once, and killed at any moment."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extract_feats.cache import read
from extract_feats.cache.store import FeatureStore
from tests import checkout
from tests.toy import outcome
from utils import config as configs
from utils import plugins

CONFIG = str(plugins.ROOT / "config" / "demo_svm.yaml")
LAST_LINE = re.compile(
    r"(?P<corpus>[\w-]+) (?P<recipe>[\w-]+): (?P<clips>\d+) clips, (?P<extracted>\d+) extracted, "
    r"(?P<cached>\d+) cached, (?P<rejected>\d+) rejected, \d+\.\d s(, \d+x realtime)?"
)
SLOW = "features={name: opensmile, set: ComParE_2016}"  # 50 ms a clip: there is time to kill it
# A run that puts results on disk at once and says when it begins, so that there is something to lose and to keep.
EAGER = (
    "import sys; from extract_feats.cache import fill; fill.FLUSH_SECONDS = 0; import preprocess; "
    "from utils import cli; print('begins', flush=True); cli.run(lambda argv: preprocess.main(sys.argv[1:]))"
)


def command(features: Path, *options: str, eager: bool = False) -> list[str]:
    script = ["-c", EAGER] if eager else ["preprocess.py"]
    return [sys.executable, *script, "--config", CONFIG, "--features", str(features), *options]


def environment(data: Path) -> dict[str, str]:
    return os.environ | {"SER_DATA": str(data)}


def preprocess(data: Path, features: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(features, *options),
        cwd=plugins.ROOT,
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=200,
    )


@pytest.fixture
def called(monkeypatch, capsys):
    """Return a function that runs preprocess.py as its command line would, in this process and without others."""
    from preprocess import main

    def call(data: Path, features: Path, *options: str) -> subprocess.CompletedProcess:
        monkeypatch.chdir(plugins.ROOT)
        monkeypatch.setenv("SER_DATA", str(data))
        words = ["--config", CONFIG, "--features", str(features), "--jobs", "1", *options]
        return subprocess.CompletedProcess(words, *outcome(main, monkeypatch, capsys, *words))

    return call


def said(output: str) -> dict[str, int | str]:
    """Return the figures of the last line."""
    match = LAST_LINE.fullmatch(output.splitlines()[-1])
    assert match, output
    return {key: int(value) if value.isdecimal() else value for key, value in match.groupdict().items()}


def recipe_of(*overrides: str):
    return read.recipe_of(configs.read(CONFIG, list(overrides)))


def rows(features: Path, *overrides: str) -> dict[bytes, np.ndarray]:
    """Return every stored row; a key stored twice is an error."""
    store = FeatureStore(features, recipe_of(*overrides))
    keys = [bytes(k).ljust(16, b"\0") for segment in store._segments for k in segment.keys]
    assert max(Counter(keys).values()) == 1
    return dict(zip(keys, store.read(keys), strict=True))


def equal(one: dict[bytes, np.ndarray], other: dict[bytes, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def undisturbed(demo_root, tmp_path_factory) -> Path:
    """Return the features that one run in peace gives under the slow recipe."""
    features = tmp_path_factory.mktemp("undisturbed")
    done = preprocess(demo_root.parent, features, "--set", SLOW)
    assert done.returncode == 0, done.stderr
    assert said(done.stdout)["extracted"] == 80
    return features


def test_the_last_line_says_what_was_done(demo_root, tmp_path):
    first = preprocess(demo_root.parent, tmp_path / "f")
    assert first.returncode == 0, first.stderr
    last = first.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"demo librosa_frames-mfcc: 80 clips, 80 extracted, 0 cached, 0 rejected, \d+\.\d s, \d+x realtime", last
    )
    words = [line for line in first.stderr.splitlines() if not re.search(r"\d/80 clips", line)]  # progress, if slow
    assert "classes: angry 16" in first.stdout and not words
    again = preprocess(demo_root.parent, tmp_path / "f")
    assert re.fullmatch(
        r"demo librosa_frames-mfcc: 80 clips, 0 extracted, 80 cached, 0 rejected, \d+\.\d s",
        again.stdout.splitlines()[-1],
    )


def test_several_configs_give_a_line_each_and_share_what_they_can(demo_root, tmp_path, called):
    names = ["--config", CONFIG, str(plugins.ROOT / "config" / "demo_bilstm.yaml")]
    done = called(demo_root.parent, tmp_path, *names, "--limit", "2", "--set", "features.preset=mfcc")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if LAST_LINE.fullmatch(line)]
    assert [said(line)["extracted"] for line in lines] == [10, 0] and said(lines[1])["cached"] == 10
    assert done.stdout.count("classes:") == 1  # the corpus is reported once


def test_a_mistake_in_the_last_config_costs_no_extraction(demo_root, tmp_path, called):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(Path(CONFIG).read_text().replace("C: 10", "c: 10"))
    done = called(demo_root.parent, tmp_path / "f", "--config", CONFIG, str(wrong))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "Did you mean 'C'?" in done.stderr
    assert not (tmp_path / "f").exists()


def test_broken_files_are_listed_and_strict_says_so(demo_root, tmp_path, called):
    shutil.copytree(demo_root, tmp_path / "data" / "demo")
    files = sorted((tmp_path / "data" / "demo").rglob("*.wav"))
    files[0].write_bytes(b"")
    files[9].write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    files[1].rename(files[1].with_name("whatever.wav"))
    done = called(tmp_path / "data", tmp_path / "f")
    assert done.returncode == 0 and said(done.stdout) | {"clips": 79, "extracted": 77, "rejected": 3} == said(
        done.stdout
    )
    (listed,) = (tmp_path / "f").glob("demo-*/rejected.csv")
    assert str(listed) in done.stdout and len(listed.read_text().splitlines()) == 4
    for reason in ("empty file", "a Git-LFS pointer", "not a name of the demo corpus"):
        assert reason in done.stdout and reason in listed.read_text()
    strict = called(tmp_path / "data", tmp_path / "f", "--strict")
    assert strict.returncode == 1 and said(strict.stdout)["cached"] == 77


DEADLY = '''
"""Kills the process that extracts the clip of the test."""
import os
import signal

from extract_feats import Layout

VERSION = "1"


def extract(wave, rate):
    """Return the first values (3,)."""
    if len(wave) == 7777:
        os.kill(os.getpid(), signal.SIGKILL)
    return wave[:3]


def layout():
    """Return the layout."""
    return Layout("", False, {}, VERSION)


def names(rate):
    """Return the names."""
    return ["a", "b", "c"]
'''


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_file_that_kills_its_worker_is_one_rejected_line(demo_root, tmp_path):
    project = checkout.copy(tmp_path / "project")
    (project / "extract_feats" / "deadly.py").write_text(DEADLY.lstrip())
    shutil.copytree(demo_root, project / "data" / "demo")
    clip = sorted((project / "data" / "demo").rglob("*.wav"))[20]
    soundfile.write(clip, np.sin(np.arange(7777) / 9), 16000)
    script = [sys.executable, "preprocess.py", "--config", "config/demo_svm.yaml", "--set", "features={name: deadly}"]
    for extracted, cached in ((79, 0), (0, 79)):  # the second run has one file to read, and is careful with it
        done = subprocess.run(script, cwd=project, env=environment(project / "data"), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr and f"every worker process that reads it dies: {clip.name}" in done.stdout
        figures = said(done.stdout)
        assert (figures["extracted"], figures["cached"], figures["rejected"]) == (extracted, cached, 1)
        (listed,) = project.glob("features/demo-*/rejected.csv")
        _, *rows = listed.read_text().splitlines()
        assert len(rows) == 1 and clip.name in rows[0] and rows[0].endswith("every worker process that reads it dies")


def test_nothing_but_broken_files_crashes_nothing(demo_root, tmp_path, called):
    folder = tmp_path / "data" / "demo"
    shutil.copytree(demo_root / "f01", folder)
    for path in folder.iterdir():
        path.write_bytes(b"")
    done = called(tmp_path / "data", tmp_path / "f", "--export", str(tmp_path / "out"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "nothing to export" in done.stderr


def test_export_writes_what_pandas_reads(demo_root, tmp_path, called):
    pandas = pytest.importorskip("pandas")
    options = ["--set", "features={name: opensmile, set: eGeMAPSv02}", "--limit", "3"]
    done = called(demo_root.parent, tmp_path / "f", *options, "--export", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    table = pandas.read_parquet(tmp_path / "out" / "demo_svm.parquet")
    assert len(table) == 15 and table["emotion"].value_counts().tolist() == [3] * 5
    assert {"id", "speaker", "sex", "F0semitoneFrom27.5Hz_sma3nz_amean"} <= set(table.columns)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--features", "preprocess.py"], "error: preprocess.py"),
        (["--set", "corpora.0.root=demos"], "Did you mean 'demo'?"),
        (["--set", "drop=[angri]"], "Did you mean 'angry'?"),
    ],
)
def test_a_mistake_is_one_line(demo_root, tmp_path, called, options, expected):
    done = called(demo_root.parent, tmp_path / "f", *options)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
    assert expected in done.stderr, done.stderr


def killed(data: Path, features: Path, delay: float, *options: str) -> bool:
    """Start a run and kill it so many seconds after it begins; return whether it was still at work."""
    process = subprocess.Popen(
        command(features, *options, eager=True), cwd=plugins.ROOT, env=environment(data),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "begins\n"
    time.sleep(delay)
    alive = process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        os.killpg(process.pid, signal.SIGKILL)  # its workers, which nobody reads from any more
    except ProcessLookupError:
        alive = alive and process.returncode == -signal.SIGKILL
    return alive


@pytest.mark.skipif(os.name != "posix", reason="kill -9 and process groups")
def test_after_kills_at_any_moment_the_next_run_goes_on(demo_root, undisturbed, tmp_path):
    generator = random.Random(5)
    features = tmp_path / "f"
    kept, at_work = [], 0
    for number in range(6):
        jobs = str(1 + number % 2)
        at_work += killed(demo_root.parent, features, generator.uniform(0.1, 2.0), "--set", SLOW, "--jobs", jobs)
        kept.append(len(FeatureStore(features, recipe_of(SLOW))))
    assert kept == sorted(kept) and at_work  # nothing that was on disk is lost
    done = preprocess(demo_root.parent, features, "--set", SLOW)
    assert done.returncode == 0, done.stderr
    figures = said(done.stdout)
    assert (figures["extracted"], figures["cached"]) == (80 - kept[-1], kept[-1])  # nothing finished is done again
    assert equal(rows(features, SLOW), rows(undisturbed, SLOW))
    assert not list(features.rglob("*.part"))


def test_two_runs_at_once_share_the_work_and_the_cache(demo_root, undisturbed, tmp_path):
    features = tmp_path / "f"
    processes = [
        subprocess.Popen(
            command(features, "--set", SLOW, "--jobs", jobs), cwd=plugins.ROOT, env=environment(demo_root.parent),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for jobs in ("1", "2")
    ]  # fmt: skip
    outputs = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    figures = [said(out) for out, _ in outputs]
    assert sum(f["extracted"] for f in figures) == 80 and sum(f["cached"] for f in figures) == 80
    assert equal(rows(features, SLOW), rows(undisturbed, SLOW))


def test_two_recipes_at_once_leave_both_complete(demo_root, tmp_path):
    recipes = ["features={name: opensmile, set: IS09}", "features={name: librosa_frames, preset: mfcc}"]
    processes = [
        subprocess.Popen(
            command(tmp_path, "--set", recipe, "--jobs", "1"), cwd=plugins.ROOT, env=environment(demo_root.parent),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for recipe in recipes
    ]  # fmt: skip
    errors = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    for recipe in recipes:
        assert len(read.dataset(configs.read(CONFIG, [recipe]), tmp_path, command="preprocess.py")) == 80
