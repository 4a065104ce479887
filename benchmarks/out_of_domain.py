"""How many clips get the warning that the model does not know: of unseen speakers, and of corpora not trained on.

    python benchmarks/out_of_domain.py checkpoints/ravdess_ridge_is10 checkpoints/ravdess_whisper ...

takes finished runs and reads the features of their clips, of EMO-DB and of TESS from the cache. The first share is that
of the run's own clips, each held against the training clips of its fold, whose speakers are others; the warning should
be rare there. Then for each other corpus: UAR of the shipped model with its 95 % interval, and the share of the clips
it gets wrong that are warned of, which should be most where the UAR is no better than guessing.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluation.scores import guessing
from evaluation.scores.metrics import uar_score
from evaluation.scores.significance import uar_interval
from evaluation.splits.folds import draw_folds
from extract_feats.cache import read
from prediction import out_of_domain
from prediction.predictor import Predictor
from utils import cli
from utils import config as configs

OTHERS = {
    "EMO-DB": {"corpora": [{"name": "emodb", "root": "EMO-DB"}], "drop": ["boredom"]},
    "TESS": {"corpora": [{"name": "tess", "root": "TESS"}], "drop": []},
}


def warned(training, data) -> np.ndarray:
    """Return (n,) bool, whether each clip gets the warning."""
    hints = out_of_domain.hints(training, list(data.features), out_of_domain.channel_measures(data))
    return np.array([out_of_domain.is_warned({hint["hint"] for hint in of_clip}) for of_clip in hints])


def unseen_speakers(data, config) -> float:
    """Return the share of a run's clips that are warned of when their speakers are unseen."""
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    flags = [warned(out_of_domain.ranges_of(data[fold.train]), data[fold.test]) for fold in folds]
    return float(np.concatenate(flags).mean())


def other_corpus(data, predictor: Predictor, training) -> str:
    """Return the cells of the table for a corpus that the model was not trained on."""
    shared = np.array([predictor.labels.index(label) for label in data.labels])  # it answers with any of its labels
    predicted, truth = predictor.probabilities(list(data.features)).argmax(axis=1), shared[data.truth]
    wrong, flags = predicted != truth, warned(training, data)
    uar = uar_score(truth, predicted, len(predictor.labels))
    interval = uar_interval(truth, predicted, data.speakers, len(predictor.labels), seed=1)
    return (
        f"{uar:.3f} [{interval.lo:.3f}, {interval.hi:.3f}] | {guessing.chance(truth):.3f} "
        f"| {flags[wrong].mean():.1%} | {flags[~wrong].mean():.1%}"
    )


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--features", type=Path, default=cli.ROOT / "features", metavar="DIR", help="the cache")
    options = parser.parse_args(argv)
    print(
        "| run | unseen speakers | corpus | UAR | guessing | wrong clips warned | right clips warned |\n"
        + "|---" * 7
        + "|"
    )
    for folder in options.checkpoints:
        config, predictor = configs.read(folder / "config.yaml"), Predictor(folder)
        data = read.dataset(config, options.features, command="")
        share, training = unseen_speakers(data, config), out_of_domain.ranges_of(data)
        for name, changed in OTHERS.items():
            content = config.model_dump() | changed | {"labels": None, "augment": [], "split": {"by": "speaker"}}
            other = read.dataset(configs.check(content, name), options.features, command="preprocess.py")
            print(f"| {folder.name} | {share:.1%} | {name} | {other_corpus(other, predictor, training)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
