"""The clips that a finished model is tested on, with their features; features that are not cached are extracted."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from evaluation.studies.other_clips import check_labels
from evaluation.training import ensemble
from extract_feats.cache import read
from extract_feats.cache.corpus_lists import corpus_folder
from extract_feats.cache.fill import fill
from extract_feats.cache.scan import scan
from extract_feats.cache.task import Task, last_line
from prediction.predictor import Predictor
from utils import bars
from utils.config import Config
from utils.dataset import Dataset, common
from utils.errors import DataError


def load(
    configs: Sequence[Config],
    predictor: Predictor,
    features: Path,
    *,
    jobs: int,
    limit: int | None,
    say: Callable[[str], None],
) -> Dataset:
    """Return clips and features, of an ensemble those of every member.

    Args:
        configs: the same clips under the feature recipe of the model, or of each member.
        predictor: the model, opened.
        features: the features folder.
        jobs: processes; -1 one per core.
        limit: clips per class, for a trial.
        say: prints what was extracted and what was rejected.

    Raises:
        ConfigError: labels that the model does not have; raised before anything is extracted.
        DataError: no clip of a corpus can be used.
    """
    scans = scan(configs[0], limit)
    counts = Counter(utterance.emotion for corpus in scans for utterance in corpus.chosen)
    check_labels(counts, predictor.labels, configs[0].name)
    datasets = []
    for config in configs:
        for corpus in scans:
            _extract(Task(corpus, read.recipe_of(config)), features, jobs, say)
        datasets.append(read.dataset(config, features, command="python evaluate.py", limit=limit))
    datasets = common(datasets)
    return ensemble.joined(datasets) if "members" in predictor.card else datasets[0]


def _extract(task: Task, features: Path, jobs: int, say: Callable[[str], None]) -> None:
    corpus = task.scan
    with bars.progress(f"{corpus.label} {task.recipe.label}") as report:
        (outcome,) = fill([task], features, jobs=jobs, progress=report)
    rejected = corpus.rejected + outcome.rejected
    if rejected or outcome.extracted:
        say(last_line(task, outcome))
    listed = corpus_folder(corpus.entry, corpus.label, features) / "rejected.csv"
    if rejected:
        say(f"  rejected files and reasons: {listed}")
    if corpus.chosen and len(outcome.rejected) == len(corpus.chosen):
        raise DataError(f"{corpus.label}: none of {len(corpus.chosen)} clips can be used; reasons in {listed}.")
