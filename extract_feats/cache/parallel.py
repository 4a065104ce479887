"""Decoding and extracting files over processes, here or on a cluster; workers get paths and send features back."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from extract_feats.base.recipe import Recipe
from extract_feats.cache.known_files import stamp
from extract_feats.cache.store import FeatureStore, key
from utils import cluster, plugins
from utils.audio.decode import decode
from utils.audio.prepare import Sound, inspect, prepare
from utils.errors import DataError

KILLER = "every worker process that reads it dies"


class Done(NamedTuple):
    """What became of one file.

    Attributes:
        path: the file.
        stamped: its size and time before it was read; None if it is not there.
        sound: what was decoded, or the reason why nothing was.
        features: what was extracted, or the reason why nothing was; None: they are stored already.
    """

    path: Path
    stamped: tuple[int, int] | None
    sound: Sound | str
    features: np.ndarray | str | None


def work(todo: list[Path], store: FeatureStore, jobs: int, dask: str | None = None) -> Iterator[Done]:
    """Yield what becomes of each file, in the order of completion.

    Args:
        todo: the files.
        store: what it holds is not extracted again.
        jobs: processes, each computing with one thread; -1 one a core.
        dask: the address of a scheduler whose workers do it instead.

    Raises:
        ConfigError, DataError: the cluster cannot be used; see ``utils.cluster``.
    """
    # as it is now: else each flush would give every worker a longer list of segments, to be opened again
    store = FeatureStore(store.root.absolute(), store.recipe)
    if dask:
        yield from _on_cluster(todo, store, dask)
        return
    if jobs == 1 or len(todo) < 8:  # starting processes takes longer
        with threadpool_limits(1):  # as in a worker: the same thread count, the same bits
            yield from (_one(path, store) for path in todo)
        return
    with parallel_config("loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_one)(path, store) for path in todo)


def _on_cluster(todo: list[Path], store: FeatureStore, address: str) -> Iterator[Done]:
    asked = {path.absolute(): path for path in todo}  # a worker has another working folder
    with cluster.Cluster(address) as workers:
        workers.check(partial(unfit, store.recipe, next((path for path in asked if path.exists()), None)))
        for path, done in workers.map(partial(_one, store=store), list(asked)):
            if done is None:
                done = Done(path, None, KILLER, KILLER)  # not put on record: it may be the machine's fault
            elif not done.stamped and path.exists():
                raise DataError(f"a Dask worker does not see {path}: all need the same folders under the same names.")
            yield done._replace(path=asked[path])


def unfit(recipe: Recipe, path: Path | None) -> str:
    """Return why this process would not extract what the caller's would; "" if it does."""
    version = plugins.call("features", {"name": recipe.plugin, **recipe.arguments}, "layout").version
    if version != recipe.layout.version:
        return f"its features are of version {version}, not {recipe.layout.version}: install the same requirements."
    if path and not path.exists():
        return f"does not see {path}: it needs the same folders under the same names."
    return ""


def _one(path: Path, store: FeatureStore) -> Done:
    """Decode, digest and extract one file."""
    try:
        stamped = stamp(path)
    except OSError as error:
        return Done(path, None, f"{error.strerror}.", f"{error.strerror}.")
    try:
        samples, source_rate = decode(path)
        sound = inspect(samples, source_rate)
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
        return Done(path, stamped, reason, reason)
    if store.has([key(sound.digest)])[0]:
        return Done(path, stamped, sound, None)
    recipe = store.recipe
    try:
        wave = prepare(samples, source_rate, recipe.rate, **recipe.clip)
        return Done(path, stamped, sound, recipe.extract(recipe.varied(wave, sound.digest)))
    except DataError as error:
        return Done(path, stamped, sound, str(error))
