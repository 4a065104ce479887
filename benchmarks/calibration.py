"""Probabilities of estimators before and after their temperature, out of fold, on a config's features.

Before: what the fitted estimator says itself; a support vector machine and a kernel ridge have no probabilities of
their own. UAR and the share of right answers among the tenth that is most confident belong to the column's
probabilities. preprocess.py caches the features first.

    python benchmarks/calibration.py --models svm knn lda --seeds 1 2 3
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluation.scores import metrics
from evaluation.splits.folds import draw_folds
from evaluation.training import fit
from extract_feats.cache import read
from models.common import EmotionModel
from utils import cli, config
from utils.dataset import Dataset

MODELS = ("svm", "kernel_ridge", "logistic_regression", "lda", "knn", "random_forest", "mlp")


def main(argv=None) -> int:
    options = _options(argv)
    print("| model | seed | probabilities | UAR | log loss | Brier | calibration error | surest tenth right |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.models:
        for seed in options.seeds:
            chosen = config.read(options.config, [f"model={{name: {name}}}", f"seed={seed}", *options.set])
            data = read.dataset(chosen, options.features, command=f"python preprocess.py --config {options.config}")
            started = time.process_time()
            for kind, row in _rows(data, chosen):
                print(f"| {name} | {seed} | {kind} | {' | '.join(f'{value:.3f}' for value in row)} |", flush=True)
            print(f"  {name}, seed {seed}: {time.process_time() - started:.0f} CPU seconds", file=sys.stderr)
    return 0


def _rows(data: Dataset, chosen: config.Config) -> Iterator[tuple[str, list[float]]]:
    """Yield "before" and "after" with their scores, of the predictions of all folds."""
    pooled = {kind: np.zeros((len(data), len(data.labels))) for kind in ("before", "after")}
    tested = np.zeros(len(data), bool)
    for number, fold in enumerate(draw_folds(data, chosen.split.model_dump(), seed=chosen.seed)):
        model, _ = fit.fit_fold(data, chosen, fold, number)
        test = data[fold.test]
        tested[fold.test] = True
        pooled["after"][fold.test] = model.probabilities(test.features)
        if (before := _before(model, test)) is None:
            pooled.pop("before", None)
        else:
            pooled["before"][fold.test] = before
    for kind, probabilities in pooled.items():
        yield kind, _scores(data.truth[tested], probabilities[tested])


def _before(model: EmotionModel, test: Dataset) -> np.ndarray | None:
    """Return the estimator's own probabilities (n, C), None if it has none."""
    estimator = model.estimator_[-1].estimator_ if model.frames_ else model.estimator_.estimator_
    if not hasattr(estimator, "predict_proba"):
        return None
    features = model._estimator_input(test.features, model.global_statistics(len(test)))
    if model.frames_:
        features = model.estimator_[0].transform(features)
    return estimator.predict_proba(features)


def _scores(truth: np.ndarray, probabilities: np.ndarray) -> list[float]:
    right, n_classes = probabilities.argmax(axis=1) == truth, probabilities.shape[1]
    surest = np.argsort(-probabilities.max(axis=1), kind="stable")[: round(len(truth) / 10)]
    return [
        metrics.uar_score(truth, probabilities.argmax(axis=1), n_classes), metrics.log_loss(truth, probabilities),
        metrics.brier(truth, probabilities), metrics.ece(truth, probabilities), right[surest].mean(),
    ]  # fmt: skip


def _options(argv) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, default=Path("config/ravdess_svm_is10.yaml"), metavar="YAML")
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME", help="estimators, with their defaults")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], metavar="N", help="1 unless given")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the config")
    parser.add_argument("--features", type=Path, default=Path("features"), metavar="DIR")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
