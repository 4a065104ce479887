"""What tests share: real speech where it is, synthetic speech everywhere, a quiet TensorFlow."""

import os
import sys
from pathlib import Path

import pytest

from tests import memory, toy_figures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # whatever the user's own Keras settings say
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(threads, "1")  # as many workers as cores, so one thread each
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of some 200 commands would compile the checkout again
sys.dont_write_bytecode = False
os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # glibc: fewer heaps, less memory that is free but not given back

LONGEST_FIRST = (  # files of tests that take longest; begun first, so that no worker waits for the other at the end
    "test_documented.py", "test_models.py", "test_train.py", "test_tune.py", "test_zoo.py", "test_explore.py",
    "test_preprocess.py", "test_real_speech.py", "test_setup.py", "test_finetune.py", "test_attention.py",
    "test_app.py", "test_explain.py", "test_cluster.py", "test_training.py", "test_ensemble.py",
    "test_cross_validation.py", "test_variants.py", "test_evaluate.py", "test_leakage.py", "test_app_browser.py",
    "test_checkpoint.py",
    "test_docs.py", "test_event_files.py", "test_plots.py", "test_requirements_serve.py", "test_features.py",
    "test_protocols.py", "test_robustness.py", "test_report.py", "test_comparison.py",
)  # fmt: skip

freed = {"resident": 0}  # bytes after memory was freed last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_collection_finish() -> None:
    """Every module is loaded now: free what loading left behind."""
    memory.free()
    freed["resident"] = memory.resident()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown():
    """Free memory after a test since which this process has grown much."""
    yield
    if memory.resident() > freed["resident"] + memory.GROWTH:
        memory.free()
        freed["resident"] = memory.resident()


@pytest.fixture(scope="session")
def speech() -> Path:
    """Return the folder that holds the real corpora, RAVDESS at least; without it the test is skipped."""
    data = Path(os.environ.get("SER_DATA") or "data").resolve()
    if not (data / "RAVDESS").is_dir():
        pytest.skip(f"no real speech: {data} holds no RAVDESS; set SER_DATA to the folder that does")
    return data


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory) -> Path:
    """Return a small demo corpus, 8 speakers with 2 clips an emotion; its parent serves as SER_DATA."""
    from corpora import demo

    folder = tmp_path_factory.mktemp("data") / "demo"
    demo.write(folder, clips=2)
    return folder


@pytest.fixture(scope="session")
def demo_zoo(demo_root, tmp_path_factory) -> Path:
    """Return a folder with two SVMs trained on the demo corpus, "plain" and "speaker", and the features they saw."""
    from toy import write_config

    import preprocess
    import train

    folder = tmp_path_factory.mktemp("zoo")
    paths = [str(write_config(folder, "plain")), str(write_config(folder, "speaker", normalise="speaker"))]
    common = ["--config", *paths, "--features", str(folder / "features")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        patch.setattr("matplotlib.figure.Figure.savefig", toy_figures.save_pixel)
        assert preprocess.main([*common, "--jobs", "1"]) == 0
        assert train.main([*common, "--checkpoints", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session", autouse=True)
def pretrained(tmp_path_factory) -> Path:
    """Point $SER_PRETRAINED at small random networks under the default names; return where the real ones may lie."""
    from tests import toy_encoders

    real = Path(os.environ.get("SER_PRETRAINED") or Path(__file__).parents[2] / "shared" / "pretrained").resolve()
    folder = tmp_path_factory.mktemp("pretrained")
    toy_encoders.write_hubert(folder / "hubert-base-ls960", normalise=True)
    toy_encoders.write_hubert(folder / "layered", layers=3)
    toy_encoders.write_yamnet(folder / "yamnet.onnx")
    toy_encoders.write_vggish(folder / "vggish.onnx")
    toy_encoders.write_vgg16(folder / "vgg16.onnx")
    toy_encoders.write_whisper(folder / "whisper-base")
    os.environ["SER_PRETRAINED"] = str(folder)
    return real


@pytest.fixture(scope="module")
def eager():
    """Let TensorFlow compute step by step in this file; ``toy_networks.eager`` says why."""
    from tests import toy_networks

    with toy_networks.eager():
        yield


@pytest.fixture(scope="module")
def undrawn():
    """Let every figure of this file be saved as one pixel, in place of a third of a second of drawing.

    How figures look is tested in test_plots.py and test_score_plots.py, those of a run in test_report.py.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", toy_figures.save_pixel)
        yield


@pytest.fixture(scope="module")
def narrow_vgg16():
    """Give VGG16 an eighth of its filters in this file; converting all of them takes 2.4 GB of memory.

    Its real size is built in test_vgg16.py; ``make slow`` trains and ships it.
    """
    from tests import toy_networks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras.applications.VGG16", toy_networks.narrow_vgg16)
        yield
