"""Every network must memorise 64 real clips: if its training accuracy stays below .95, it is broken.

    SER_DATA=... python benchmarks/overfit.py [NETWORK ...] [--epochs 300]

The clips are RAVDESS's first statement, normal intensity, first repetition, actors 1 to 8: 8 whole clips per emotion.
Features, model and training are those of the first shipped config of the network (log-mel where there is none),
except what would prevent memorising: dropout is off, and a batch has at most 16 clips. vgg16 has random weights and
learns 8 clips of one second, one per emotion, in windows of 64 frames, since its convolutions are slow on a CPU.
Accuracy is measured on the training clips, with the network in its prediction mode (running averages in its
normalisations).
"""

import argparse
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np

from corpora import ravdess
from extract_feats.base.recipe import Recipe
from models.classes import model_class
from utils import config as configs
from utils import plugins
from utils.audio.prepare import read_wave
from utils.dataset import Dataset, Frames

ENOUGH, ACTORS, BATCH = 0.95, 8, 16
CHANGED = {"vgg16": {"weights": None, "window": 64}}


class Learned(Exception):
    """The accuracy is reached."""


def networks() -> list[str]:
    """Return the names of all networks."""
    return [name for name, plugin in plugins.every("models").items() if plugin.package == "models.dnn"]


def experiment(network: str) -> configs.Config:
    """Return the first shipped RAVDESS experiment of a network, or one on log-mel frames, changed as said above."""
    shipped = [configs.read(path) for path in sorted((ROOT / "config").glob("ravdess_*.yaml"))]
    bare = {"name": network, "corpora": [{"name": "ravdess", "root": "RAVDESS"}]}
    bare |= {"features": {"name": "logmel"}, "model": {"name": network}}
    chosen = next((config for config in shipped if config.model["name"] == network), configs.check(bare, network))
    quiet = {"dropout": 0.0} if "dropout" in chosen.model else {}
    short = {"clip": configs.Clip(offset=1.0, seconds=1.0)} if network == "vgg16" else {}
    return chosen.model_copy(update={"model": chosen.model | quiet | CHANGED.get(network, {}), **short})


def clips(config: configs.Config, actors: int) -> Dataset:
    """Return the fixed clips of the first ``actors`` actors under a config's features."""
    recipe = Recipe.of(config.features, config.rate, config.clip.model_dump())
    files = sorted((config.data_folder() / "RAVDESS").rglob("03-01-??-01-01-01-*"))
    chosen = [u for u in map(ravdess.parse, files) if int(u.speaker) <= actors]
    if len(chosen) != 8 * actors:
        sys.exit(f"{len(chosen)} clips, {8 * actors} are needed: RAVDESS below $SER_DATA.")
    features = [recipe.extract(read_wave(u.path, config.rate, **config.clip.model_dump())) for u in chosen]
    labels = tuple(sorted({u.emotion for u in chosen}))
    names = np.array([u.id for u in chosen])
    return Dataset(
        features=Frames(features) if recipe.layout.frames else np.stack(features),
        labels=labels,
        truth=np.array([labels.index(u.emotion) for u in chosen]),
        ids=names,
        speakers=np.array([u.speaker for u in chosen]),
        digests=names,
        facts={},
    )


def learn(network: str, epochs: int) -> dict:
    """Return epochs, seconds and accuracy of a network when it has learned its clips, or at the last epoch."""
    config = experiment(network)
    data = clips(config, actors=1 if network == "vgg16" else ACTORS)
    wanted = {"epochs": epochs, "patience": epochs, "batch_size": min(BATCH, config.train.batch_size)}
    seen: dict = {}

    def report(line: dict) -> None:
        seen.update(line)
        if line["val_uar"] >= ENOUGH:  # classes are of one size, so UAR is accuracy
            raise Learned

    model = model_class(config.model)(config.model, data.labels, seed=config.seed)
    started = time.perf_counter()
    with suppress(Learned):
        model.fit(data, data, train=config.train.model_copy(update=wanted), report=report)
    seconds = time.perf_counter() - started
    return {"config": config.name, "clips": len(data), "seconds": seconds} | seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=networks(), help="all of them unless given")
    parser.add_argument("--epochs", type=int, default=300, help="at most")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"{'network':<28}{'as in':<36}{'clips':>6}{'epochs':>7}{'seconds':>8}{'accuracy':>9}")
    failed = []
    for network in options.networks:
        result = learn(network, options.epochs)
        row = f"{result['clips']:>6}{result['epoch']:>7}{result['seconds']:>8.0f}{result['val_uar']:>9.3f}"
        print(f"{network:<28}{result['config']:<36}{row}", flush=True)
        failed += [network] if result["val_uar"] < ENOUGH else []
    if failed:
        sys.exit(f"not learned: {', '.join(failed)}")


if __name__ == "__main__":
    main()
