"""Whole runs on made-up clips: a config, its cross-validation, its checkpoint."""

import numpy as np

from evaluation.checkpoint import write as checkpoint
from evaluation.training import cross_validation, fit
from evaluation.training.workspace import Workspace
from utils import config as configs

SVM = {"name": "svm"}
CNN = {"name": "cnn1d", "filters": 4, "dense": 8}
TRAIN = {"epochs": 4, "batch_size": 64, "learning_rate": 0.01, "patience": 4}  # one batch shape: little to compile


def config(model=SVM, **keys):
    raw = {
        "name": "run",
        "corpora": [{"name": "demo", "root": "demo"}],
        "features": {"name": "librosa_stats"},
        "split": {"by": "speaker", "folds": 3},
        "model": model,
        "train": TRAIN,
    }
    return configs.check(raw | keys, "test")


def validated(data, settings, work, report=lambda line: None):
    return cross_validation.cross_validate(data, settings, Workspace(work, "key", report))


def written(data, settings, folder, **options):
    """Run everything; return the metrics, the outcome and the shipped model."""
    work = folder.parent / f"{folder.name}-work"
    outcome = validated(data, settings, work)
    model = fit.ship(data, settings, outcome, Workspace(work, "key"))
    return checkpoint.write(folder, settings, data, outcome, model, "print", **options), outcome, model


def doubled(data):
    """Return the data with one exact duplicate, said to be of another speaker."""
    data.digests[np.flatnonzero(data.speakers == "toy/s5")[0]] = data.digests[0]
    return data
