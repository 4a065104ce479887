"""Decoding and extracting files over processes, here or on a cluster; workers get paths and send features back."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from extract_feats.base.recipe import Recipe
from extract_feats.cache.known_files import stamp
from extract_feats.cache.store import FeatureStore, key
from utils import cluster, plugins
from utils.audio.decode import decode
from utils.audio.prepare import Sound, inspect, prepare
from utils.errors import BROKEN_FILE, DataError, reason_of
from utils.process_pool import Lost, Processes, cores

FEW = 8  # files below which starting several processes takes longer than it saves
Item = tuple[Path, tuple[int, ...]]  # a file, and the numbers of the stores that need its features


class Done(NamedTuple):
    """What became of one file.

    Attributes:
        path: the file.
        stamped: its size and time before it was read; None if it is not there.
        sound: what was decoded, or the reason why nothing was.
        features: number of a store -> what was extracted, or the reason why nothing was; None: they are stored already.
        seconds: number of a store -> how long its features took, with an equal share of the decoding.
    """

    path: Path
    stamped: tuple[int, int] | None
    sound: Sound | str
    features: dict[int, np.ndarray | str | None]
    seconds: dict[int, float]


def work(todo: Sequence[Item], stores: Sequence[FeatureStore], jobs: int, dask: str | None = None) -> Iterator[Done]:
    """Yield what becomes of each file, in the order of completion. Each file is decoded once for all stores.

    Args:
        todo: the files.
        stores: what they hold is not extracted again.
        jobs: processes, each computing with one thread; -1 one per core; one for few files. 0: this process, which a
            file can then kill or block.
        dask: the address of a scheduler whose workers do it instead.

    Raises:
        ConfigError, DataError: the cluster cannot be used; see ``utils.cluster``.
    """
    # as they are now: else each flush would give every worker a longer list of segments, to be opened again
    stores = tuple(FeatureStore(store.root.absolute(), store.recipe) for store in stores)
    function = partial(_one, stores=stores)
    if dask:
        yield from _on_cluster(todo, function, stores, dask)
    elif jobs == 0:
        with threadpool_limits(1):  # as in a worker: the same thread count, the same bits
            yield from map(function, todo)
    else:
        with Processes(1 if len(todo) < FEW else min(jobs if jobs > 0 else cores(), len(todo))) as processes:
            yield from _survived(todo, partial(processes.map, function))


def _survived(todo: Sequence[Item], over: Callable[[Iterable[Item]], Iterator]) -> Iterator[Done]:
    """Yield what becomes of each file over processes; of one that kills or blocks them, which of its features do."""
    lost = []
    for item, done in over(todo):
        if isinstance(done, Lost):
            lost.append(item)
        else:
            yield done
    for path, numbers in lost:
        stamped = _stamp_or_none(path)
        ((_, decoded),) = over([(path, ())])
        if isinstance(decoded, Lost) or isinstance(decoded.sound, str):
            reason = decoded.reason if isinstance(decoded, Lost) else decoded.sound
            yield Done(path, stamped, reason, dict.fromkeys(numbers, reason), {})
            continue
        for (_, (number,)), done in over([(path, (number,)) for number in numbers]):
            decoded.features[number] = done.reason if isinstance(done, Lost) else done.features[number]
            decoded.seconds[number] = 0.0 if isinstance(done, Lost) else done.seconds[number]
        yield decoded


def _stamp_or_none(path: Path) -> tuple[int, int] | None:
    try:
        return stamp(path)
    except OSError:
        return None


def _on_cluster(todo: Sequence[Item], function: Callable, stores: Sequence[FeatureStore], address: str):
    asked = {path.absolute(): path for path, _ in todo}  # a worker has another working folder
    items = [(path.absolute(), numbers) for path, numbers in todo]
    recipes = [store.recipe for store in stores]
    with cluster.Cluster(address) as workers:
        workers.check(partial(unfit, recipes, next((path for path in asked if path.exists()), None)))
        for done in _survived(items, partial(workers.map, function)):
            if not done.stamped and done.path.exists():
                path = done.path
                raise DataError(f"a Dask worker does not see {path}: all need the same folders under the same names.")
            yield done._replace(path=asked[done.path])


def unfit(recipes: Sequence[Recipe], path: Path | None) -> str:
    """Return why this process would not extract what the caller's would; "" if it does."""
    for recipe in recipes:
        version = plugins.call("features", {"name": recipe.plugin, **recipe.arguments}, "layout").version
        if version != recipe.layout.version:
            return f"its features are of version {version}, not {recipe.layout.version}: install the same requirements."
    if path and not path.exists():
        return f"does not see {path}: it needs the same folders under the same names."
    return ""


def _one(item: Item, stores: Sequence[FeatureStore]) -> Done:
    """Decode and digest one file, and extract what its stores lack."""
    path, numbers = item
    started = time.perf_counter()
    try:
        stamped = stamp(path)
    except OSError as error:
        reason = f"{error.strerror}."
        return Done(path, None, reason, dict.fromkeys(numbers, reason), {})
    try:
        samples, source_rate = decode(path)
        sound = inspect(samples, source_rate)
    except (DataError, *BROKEN_FILE) as error:
        reason = reason_of(error, path).removeprefix(f"{path}: ")
        return Done(path, stamped, reason, dict.fromkeys(numbers, reason), {})
    missing = {number: stores[number].recipe for number in numbers if not stores[number].has([key(sound.digest)])[0]}
    shared = (time.perf_counter() - started) / max(len(missing), 1)
    features, seconds = _extracted(samples, source_rate, sound.digest, missing)
    seconds = {number: alone + shared for number, alone in seconds.items()}
    return Done(path, stamped, sound, dict.fromkeys(numbers) | features, seconds)


def _extracted(samples: np.ndarray, source_rate: int, digest: str, recipes: dict[int, Recipe]) -> tuple[dict, dict]:
    """Return features, or why there are none, and seconds, by number.

    Recipes of the same rate and clip settings share the prepared wave, those of the same copy the copy. One of each is
    held at a time. A plug-in may change the array that it gets, so that it gets a copy where another one follows.
    """
    features, seconds = {}, {}
    wave = copy = prepared = varied = None
    ordered = sorted(recipes.items(), key=lambda pair: (pair[1].wave, pair[1].copy))
    for (number, recipe), (_, after) in zip_longest(ordered, ordered[1:], fillvalue=(None, None)):
        started = time.perf_counter()
        try:
            if recipe.wave != prepared:
                wave, prepared = prepare(samples, source_rate, recipe.rate, **recipe.clip), recipe.wave
            if recipe.copy != varied:
                again = after is not None and after.wave == recipe.wave
                copy, varied = recipe.varied(wave.copy() if again else wave, digest), recipe.copy
            again = after is not None and after.copy == recipe.copy
            features[number] = recipe.extract(copy.copy() if again else copy)
        except (DataError, *BROKEN_FILE) as error:
            features[number] = reason_of(error, "").removeprefix(": ")
        seconds[number] = time.perf_counter() - started
    return features, seconds
