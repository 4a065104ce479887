"""Train and compare models on cached features: the same clips, the same folds, one table."""

import argparse
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from utils import bars, cli


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.list:
        from utils.plugins import listing

        print(listing.listing(options.list))
        return 0
    from utils import config as configs
    from utils.dataset import common

    experiments = [configs.read(path, options.set) for path in options.config]
    if options.honesty:
        return _honesty(experiments[0], options)
    _check_comparable(experiments)
    experiments = [run for experiment in experiments for run in _seeded(experiment, options.seeds)]
    options.config = [path for path in options.config for _ in options.seeds or [None]]  # one an experiment
    names = _names(experiments)
    members = _members(experiments, options)
    datasets = _datasets(experiments, options) | _member_datasets(members, options)
    datasets = dict(zip(datasets, common(list(datasets.values())), strict=True))
    if options.matrix:
        return _matrices(experiments, datasets, options)
    _run(experiments, datasets, options)
    from evaluation.studies import comparison

    table = comparison.compare([options.checkpoints / name for name in names])
    table += comparison.over_seeds(table) if options.seeds else []
    comparison.write(table, options.checkpoints / "comparison.csv")
    print("\n".join(comparison.lines(table)))
    print(f"\n{options.checkpoints}:\n  comparison.csv, comparison.png")
    return 0


def _seeded(experiment, seeds: Sequence[int]) -> list:
    """The experiment once a seed, as NAME_seedN; the seed decides weights, batches, and folds that are drawn."""
    named = [{"seed": seed, "name": f"{experiment.name}_seed{seed}"} for seed in seeds]
    return [experiment.model_copy(update=changes) for changes in named] or [experiment]


def _honesty(experiment, options: argparse.Namespace) -> int:
    """Run one config on known speakers, on strangers and, with --other, on another corpus; print the three."""
    import json

    from evaluation.pages import report
    from evaluation.studies import protocols
    from extract_feats.cache import read as load
    from utils import config as configs

    if experiment.members:
        protocols.with_random_folds(experiment, None)
    (data,) = _datasets([experiment], options).values()
    runs = {protocols.SEEN: protocols.with_random_folds(experiment, data), protocols.UNSEEN: experiment}
    other = None
    if options.other:
        elsewhere = protocols.on_other_corpus(experiment, configs.read(options.other), data.labels)
        recipe = {key: value for key, value in elsewhere.model_dump().items() if key in ("rate", "clip", "features")}
        overrides = [f"{key}={json.dumps(value)}" for key, value in recipe.items()]  # the clips of one, as the other
        command = cli.command("preprocess.py", options, config=[options.other], set=overrides)
        other = load.dataset(elsewhere, options.features, command=command, limit=options.limit)
    _run(list(runs.values()), {run.name: data for run in runs.values()}, options)
    rows = [protocols.run_row(options.checkpoints / run.name, tested_on) for tested_on, run in runs.items()]
    folder = options.checkpoints / experiment.name
    if other is not None:
        rows.append(protocols.other_corpus_row(folder, data, other, seed=experiment.seed, limit=options.limit))
    protocols.write(rows, folder / protocols.FILE)
    report.refresh(folder)
    print("\n".join(protocols.lines(rows, data.labels)))
    return 0


def _names(experiments: list) -> list[str]:
    from utils.errors import ConfigError

    names = [experiment.name for experiment in experiments]
    if len(set(names)) < len(names):
        raise ConfigError(f"two configs are named {max(names, key=names.count)!r}; each run needs a name of its own.")
    return names


def _check_comparable(experiments: list) -> None:
    from utils.errors import ConfigError

    first = experiments[0]
    for other in experiments[1:]:
        differing = first.differing(other)
        if differing:
            raise ConfigError(
                f"{first.name} and {other.name} cannot be compared: they differ in {', '.join(differing)}. "
                f"Set them alike, e.g. --set {differing[0]}=..., or train them one by one."
            )


def _members(experiments: list, options: argparse.Namespace) -> dict:
    """Return name -> config of the finished runs that ensembles join, but those that this call trains itself."""
    joining = {name: experiment for experiment in experiments for name in experiment.members}
    if not joining:
        return {}
    from evaluation.training import ensemble
    from utils.errors import ConfigError

    found, here = {}, {experiment.name: experiment for experiment in experiments}
    for name, experiment in joining.items():
        folder = options.checkpoints / name
        if name not in here and not (folder / "model.json").is_file():
            path = Path(options.config[experiments.index(experiment)]).with_name(f"{name}.yaml")
            command = cli.command("train.py", options, config=[path], set=[])
            raise ConfigError(f"{experiment.name}: no finished run {folder} for member {name}. Run: {command}")
        if name not in here:
            found[name] = ensemble.run(folder).config
    for experiment in experiments:
        if experiment.members:
            ensemble.check(experiment, [here.get(name) or found[name] for name in experiment.members])
    return found


def _datasets(experiments: list, options: argparse.Namespace) -> dict:
    """Return name -> clips and features of every experiment that reads features itself."""
    from extract_feats.cache import read as load
    from models.common import check_input

    reading = [(path, e) for path, e in zip(options.config, experiments, strict=True) if not e.members]
    paths = list(dict.fromkeys(path for path, _ in reading))
    found = {}
    for _, experiment in reading:
        seed = [f"seed={experiment.seed}"] if options.seeds else []  # augmented copies are made by it
        command = cli.command("preprocess.py", options, config=paths, set=[*options.set, *seed])
        recipe = load.recipe_of(experiment)
        check_input(experiment.model, recipe.layout.frames, recipe.label)
        found[experiment.name] = load.dataset(experiment, options.features, command=command, limit=options.limit)
    return found


def _member_datasets(members: dict, options: argparse.Namespace) -> dict:
    """Return name -> clips and features of finished runs; their checkpoints hold complete configs to preprocess by."""
    from extract_feats.cache import read as load

    paths = [options.checkpoints / name / "config.yaml" for name in members]
    command = cli.command("preprocess.py", options, config=paths, set=[])
    return {
        name: load.dataset(config, options.features, command=command, limit=options.limit)
        for name, config in members.items()
    }


def _run(experiments: list, datasets: dict, options: argparse.Namespace) -> None:
    """Train what does not stand there already; whatever can be refused is, before the first hour of work."""
    from evaluation.training import cross_validation as running
    from evaluation.training import ensemble

    todo: dict = {}
    for experiment in sorted(experiments, key=lambda experiment: bool(experiment.members)):  # members come first
        members = [datasets[name] for name in experiment.members]
        data = ensemble.joined(members) if members else datasets[experiment.name]
        running.check(data, experiment)
        if options.overwrite or not _stands(experiment, data, options, set(todo)):
            todo[experiment.name] = (experiment, data)
    for experiment, data in todo.values():
        _train(experiment, data, options)


def _fingerprint(experiment, data, options: argparse.Namespace) -> str:
    from evaluation.training import cross_validation as running
    from evaluation.training import ensemble
    from extract_feats.cache import read as load

    if experiment.members:
        return ensemble.fingerprint(data, _runs(experiment, options))
    return running.fingerprint(data, load.identity(experiment) + running.start(experiment))


def _runs(experiment, options: argparse.Namespace) -> list:
    from evaluation.training import ensemble

    return [ensemble.run(options.checkpoints / name) for name in experiment.members]


def _stands(experiment, data, options: argparse.Namespace, todo: set[str]) -> bool:
    """Whether this very run is finished; another one under its name is refused. ``todo``: runs yet to be trained."""
    import json

    from evaluation.checkpoint import write as checkpoint
    from evaluation.training import ensemble
    from utils.errors import ConfigError

    folder = options.checkpoints / experiment.name
    if not (folder / "model.json").exists():
        return False
    card = json.loads((folder / "model.json").read_text(encoding="utf8"))
    changed = checkpoint.changed_keys(folder, experiment)
    changed += ["--limit"] if card["protocol"].get("limit") != options.limit else []
    if not changed and experiment.members:
        missing = [f"member {name}, not trained yet" for name in experiment.members if name in todo]
        changed += missing or ensemble.changed_members(card, _runs(experiment, options))
    if not changed and card["fingerprint"] != _fingerprint(experiment, data, options):
        changed = [f"the data or the weights of {experiment.init}" if experiment.init else "the data"]
    if changed:
        raise ConfigError(
            f"{folder} holds a run that differs in {', '.join(changed)}. "
            "Give --overwrite to replace it, or another name with --set name=..."
        )
    print(f"{experiment.name}: already trained, {folder}")
    return True


@contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """Yield the folder for unfinished work; ConfigError while another process has it."""
    from filelock import FileLock, Timeout

    from utils.errors import ConfigError

    work = folder.parent / ".work" / folder.name
    work.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work.with_name(f"{work.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(f"{folder}: another train.py is at it. Wait, or give another name: --set name=...") from error
    try:
        yield work
    finally:
        lock.release()


@contextmanager
def _reporting(name: str, events: Path | None) -> Iterator[Callable[[dict], None]]:
    """Yield report(line) to the screen and, if a folder is given, to event files."""
    from evaluation.training import event_files

    with bars.training(name) as said, event_files.recorded(events) if events else nullcontext() as recorded:

        def report(line: dict) -> None:
            said(line)
            if recorded:
                recorded(line)

        yield report


def _train(experiment, data, options: argparse.Namespace) -> None:
    import json

    from evaluation.checkpoint import write as checkpoint
    from evaluation.pages import report as reports
    from evaluation.training import cross_validation as running
    from evaluation.training import ensemble

    folder, fingerprint = options.checkpoints / experiment.name, _fingerprint(experiment, data, options)
    with _claimed(folder) as work:
        events = work / "tensorboard"
        with _reporting(experiment.name, events if options.tensorboard else None) as report:
            common = {"key": json.dumps([experiment.model_dump(), fingerprint], sort_keys=True), "work": work}
            common["report"] = report
            if experiment.members:
                runs = _runs(experiment, options)
                outcome = ensemble.cross_validate(data, experiment, runs, **common)
                model = ensemble.ship(data, experiment, runs, outcome)
            else:
                outcome = running.cross_validate(data, experiment, **common)
                started = time.monotonic()
                model = running.ship(data, experiment, outcome, work=work, report=report)
                outcome.seconds += time.monotonic() - started
            found = checkpoint.write(folder, experiment, data, outcome, model, fingerprint, limit=options.limit)
        if events.is_dir():  # closed by now; the folder of the checkpoint has been replaced as a whole
            shutil.move(events, folder / "tensorboard")
        shutil.rmtree(work)
        reports.write(folder)
    print(checkpoint.text(found))
    print(f"\n{folder}:\n  model, metrics, plots; read {reports.FILE} and {reports.CARD}\n", flush=True)


def _matrices(experiments: list, datasets: dict, options: argparse.Namespace) -> int:
    """Train on each corpus alone and test on every one; what was finished before is printed again."""
    from evaluation.pages import report
    from evaluation.studies import cross_corpus, cross_corpus_table
    from utils.errors import ConfigError

    for experiment in experiments:  # whatever can be refused is, before the first hour of work
        if experiment.members or experiment.split.holdout or experiment.init:
            raise ConfigError(f"{experiment.name}: --matrix goes with no ensemble, no split.holdout and no init.")
        cross_corpus.plan(datasets[experiment.name], experiment)
    for experiment in experiments:
        folder = options.checkpoints / f"{experiment.name}_matrix"
        _matrix(folder, experiment, datasets[experiment.name], options)
        report.refresh(options.checkpoints / experiment.name)
        print("\n".join(cross_corpus_table.lines(cross_corpus_table.read(folder))))
        print(f"\n{folder}: table and heat map\n", flush=True)
    return 0


def _matrix(folder: Path, experiment, data, options: argparse.Namespace) -> None:
    import json

    from evaluation.studies import cross_corpus, cross_corpus_table
    from utils.errors import ConfigError

    key = json.dumps([experiment.model_dump(), options.limit, _fingerprint(experiment, data, options)], sort_keys=True)
    known = cross_corpus_table.read(folder)
    if known and known["key"] == key and not options.overwrite:
        return
    if known and not options.overwrite:
        raise ConfigError(
            f"{folder} holds a matrix of another config or other data. Give --overwrite to replace it, or another "
            "name with --set name=..."
        )
    with _claimed(folder) as work, bars.training(experiment.name) as report:
        cells = cross_corpus.run(data, experiment, key=key, work=work, report=report)
        cross_corpus_table.write(folder, experiment, data.labels, cells, key=key, limit=options.limit)
        shutil.rmtree(work)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python train.py --config config/demo_svm.yaml config/demo_bilstm.yaml")
    cli.add_experiment_options(parser, required=False)
    cli.add_checkpoints_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="train again where a finished run differs")
    parser.add_argument("--matrix", action="store_true", help="instead: train on each corpus alone, test on every one")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], metavar="N", help="run each config once a seed: mean and spread"
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write a network's curves as event files, in the end to checkpoints/NAME/tensorboard",
    )
    parser.add_argument(
        "--honesty", action="store_true", help="one config on known speakers, on strangers and on --other, side by side"
    )
    parser.add_argument("--other", metavar="YAML", help="with --honesty: whose corpora, merge and drop to test on")
    parser.add_argument(
        "--list",
        choices=("models", "features", "corpora", "augment", "configs"),
        help="what there is, with arguments and defaults",
    )
    options = parser.parse_args(argv)
    if min(options.seeds, default=0) < 0:
        parser.error(f"--seeds: must be 0 or more, got {min(options.seeds)}")
    if not options.list and not options.config:
        parser.error("give --config YAML [YAML ...], or --list models|features|corpora|augment|configs")
    if options.honesty and len(options.config) != 1:
        parser.error("--honesty takes one --config")
    for given in ("matrix", "seeds"):
        if options.honesty and getattr(options, given):
            parser.error(f"--honesty goes without --{given}")
    if options.tensorboard and options.matrix:
        parser.error("--tensorboard goes without --matrix")
    if options.other and not options.honesty:
        parser.error("--other goes with --honesty")
    options.checkpoints = Path(options.checkpoints)
    return options


if __name__ == "__main__":
    cli.run(main)
