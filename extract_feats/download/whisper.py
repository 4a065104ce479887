"""Fetch the encoder of a published Whisper, and make the graph that the feature ``whisper`` reads."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import requests
from filelock import FileLock, Timeout

from extract_feats import whisper
from extract_feats.convert.graphs import convert
from extract_feats.convert.whisper_graph import PREFIX
from extract_feats.download.tensors import Header, fetch_tensors, read_header
from extract_feats.pretrained import encoder
from utils import bars, plugins
from utils.download.fetch import mirrored
from utils.download.ranges import finish
from utils.errors import ConfigError, DataError

URL = "https://huggingface.co/openai/{}/resolve/main/model.safetensors"
WEIGHTS = "model.safetensors"
LAYERS = f"{PREFIX}layers."


def get(
    name: str,
    to: Path,
    *,
    blocks: int,
    precision: str = "full",
    say: Callable[[str], None],
    mirror: str = "",
    wait: float = 1.0,
) -> None:
    """Bring ``model.safetensors`` and the graph into a folder of that name below ``to``; what is there stays.

    The digest of what was fetched stands in ``model.safetensors.sha256``.

    Args:
        name: one of ``whisper.SIZES``.
        to: the folder that holds the encoders.
        blocks: how many of the encoder's blocks, from the first.
        precision: of the graph: "full", "half" or "int8".
        say: what takes a line for the user.
        mirror: scheme and host of a server that has the same paths as the hub.
        wait: seconds before a broken connection is tried again, doubled from one time to the next.

    Raises:
        ConfigError: no such encoder, or fewer blocks than asked for.
        DataError: it cannot be had whole, or was changed since it was fetched.
    """
    if name not in whisper.SIZES:
        raise ConfigError(
            f"no encoder {name!r}.{plugins.nearest(name, whisper.SIZES)} Known: {', '.join(whisper.SIZES)}."
        )
    weights = to / name / WEIGHTS
    weights.parent.mkdir(parents=True, exist_ok=True)
    say(f"{name}: the encoder of OpenAI's Whisper")
    say("licence: MIT, network and weights, https://huggingface.co/openai/" + name)
    try:
        with FileLock(weights.with_name(f"{WEIGHTS}.lock"), timeout=0):
            if weights.exists() and _has(weights, blocks):
                say(f"{weights}: {_checked(weights)}; nothing was fetched")
            else:
                say(f"{weights}: {_bring(URL.format(name), weights, blocks, mirror, wait)}")
                _graph(weights, precision).unlink(missing_ok=True)  # of other weights
    except Timeout as error:
        raise DataError(f"{weights.parent}: another process is fetching {name}.") from error
    say(_converted(weights, blocks, precision))


def _bring(url: str, weights: Path, blocks: int, mirror: str, wait: float) -> str:
    """Fetch the tensors and return their digest, which is written beside them."""
    url = mirrored(url, mirror)
    part = weights.with_name(f"{WEIGHTS}.part")
    with requests.Session() as session:
        header = read_header(url, session=session, wait=wait)
        names = _wanted(header, blocks, url)
        with bars.progress(weights.parent.name, "MB") as report:
            fetch_tensors(url, header, names, part, session=session, report=bars.in_mb(report), wait=wait)
    digest = _sha256(part)
    _record(weights).write_text(f"{digest}  {WEIGHTS}\n", encoding="utf8")  # as sha256sum reads it
    finish(part, weights)
    return f"{weights.stat().st_size / 1e6:.1f} MB, sha256 {digest}"


def _wanted(header: Header, blocks: int, url: str) -> list[str]:
    """Return the names of the encoder's tensors without those of further blocks."""
    names = [name for name in header.tensors if name.startswith(PREFIX)]
    available = _blocks(names)
    if not 1 <= blocks <= available:
        raise ConfigError(f"{url}: --blocks must be from 1 to {available}, got {blocks}.")
    types = {header.tensors[name]["dtype"] for name in names}
    if not types <= {"F32", "F16"}:
        raise DataError(f"{url}: tensors of the type {', '.join(sorted(types))}; F32 or F16 is needed.")
    return [name for name in names if not name.startswith(LAYERS) or _block(name) < blocks]


def _blocks(names: Iterable[str]) -> int:
    return len({_block(name) for name in names if name.startswith(LAYERS)})


def _block(name: str) -> int:
    return int(name.removeprefix(LAYERS).partition(".")[0])


def _has(weights: Path, blocks: int) -> bool:
    """Whether a file holds so many blocks."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "numpy") as file:
            return _blocks(file.keys()) >= blocks
    except SafetensorError as error:
        raise DataError(f"{weights}: damaged ({' '.join(str(error).split())}). Delete it and run again.") from error


def _checked(weights: Path) -> str:
    """Return the digest of a file that is there, compared with the one of the day when it was fetched."""
    digest, record = _sha256(weights), _record(weights)
    if not record.exists():
        return f"sha256 {digest}, not fetched by this program"
    if (expected := record.read_text(encoding="utf8").split()[0]) != digest:
        raise DataError(f"{weights}: its sha256 is {digest}, not {expected} as fetched. Delete it and run again.")
    return f"sha256 {digest}, as fetched"


def _converted(weights: Path, blocks: int, precision: str) -> str:
    """Make the graph unless it is there with as many blocks; return a line on it."""
    graph = _graph(weights, precision)
    if graph.exists() and len(encoder.output_names(graph)) >= blocks:
        return f"{graph}: there, {len(encoder.output_names(graph))} blocks"
    convert(weights, graph, blocks=blocks, precision=precision)
    return f"{graph}: {graph.stat().st_size / 1e6:.1f} MB, {blocks} blocks, {precision}"


def _graph(weights: Path, precision: str) -> Path:
    return weights.with_name(whisper.FILES[precision])


def _record(weights: Path) -> Path:
    return weights.with_name(f"{WEIGHTS}.sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
