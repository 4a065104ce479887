"""What the page keeps: open checkpoints for all visitors, sounds and what was made of them for one alone."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from prediction import Recogniser
from prediction.extractor import Reading
from prediction.predictor import Predictor, SpeakerStatistics
from utils.errors import ConfigError, DataError
from web import uploads
from web.uploads import CLIP_SECONDS, Clip

LOG = logging.getLogger(__name__)
UNREADABLE = "{}: cannot be read; the server's log says why."
MOST_OPEN = 3  # checkpoints; the memory of a small host is soon full of them


@dataclass(frozen=True)
class Asked:
    """What a visitor asks of the answers.

    Attributes:
        coverage: of the label sets; None: no sets.
        always_name: name an emotion even where a clip is unlike anything the model learned.
    """

    coverage: float | None = None
    always_name: bool = False


Speakers = list[SpeakerStatistics | None]  # what adapts each model to the speaker


@dataclass(frozen=True)
class Model:
    """A checkpoint that is open.

    Attributes:
        key: another one once the checkpoint is trained again.
        name: its folder's.
        recogniser: it.
    """

    key: str
    name: str
    recogniser: Recogniser

    @property
    def card(self) -> Mapping[str, Any]:
        """The content of ``model.json``."""
        return self.recogniser.card

    @property
    def predictor(self) -> Predictor:
        """The model without its features."""
        return self.recogniser.predictor


@dataclass(frozen=True)
class MeasuredClip:
    """An upload and its length in seconds, or why it is refused."""

    clip: Clip
    seconds: float = 0.0
    error: str = ""


class VisitorCache:
    """What was computed for this visitor, kept so that a click elsewhere on the page does not compute it again."""

    def __init__(self):
        self._all: dict[tuple, Any] = st.session_state.setdefault("computed", {})
        self._used: set[tuple] = set()

    def get(self, key: tuple, make: Callable[[], Any]) -> Any:
        self._used.add(key)
        if key not in self._all:
            self._all[key] = make()
        return self._all[key]

    def forget_others(self) -> None:
        """Forget what was not asked for since this page was begun."""
        for key in set(self._all) - self._used:
            del self._all[key]


def opened(folder: Path) -> Model:
    """Return the checkpoint of a folder.

    Raises:
        ConfigError: not a checkpoint, a damaged one, or features of another version.
    """
    try:
        return _opened(str(folder), (folder / "model.json").stat().st_mtime_ns)
    except ConfigError as error:  # which names folders of the server
        LOG.error("%s", error)
        raise ConfigError(f"{folder.name}: this checkpoint cannot be opened; the server's log says why.") from error


@st.cache_resource(max_entries=MOST_OPEN, show_spinner="opening the checkpoint")
def _opened(folder: str, changed: int) -> Model:
    return Model(f"{folder} {changed}", Path(folder).name, Recogniser.open(folder))


@st.cache_resource
def decoding() -> threading.Lock:
    """Return the lock under which one visitor's clip at a time is read: a small host has no memory for several."""
    return threading.Lock()


def measured(clip: Clip) -> MeasuredClip:
    """Return how long a clip is, or why it is refused."""
    try:
        return MeasuredClip(clip, uploads.seconds(clip))
    except DataError as error:
        return MeasuredClip(clip, error=" ".join(str(error).split()))
    except Exception:  # one broken file must not take the answers of the others
        LOG.exception("an upload cannot be read")
        return MeasuredClip(clip, error=UNREADABLE.format(clip.name))


def read(sound: MeasuredClip, model: Model, cache: VisitorCache) -> Reading:
    """Return the features of a clip for a model, or the reading's ``error``."""
    name = sound.clip.name

    def extracted() -> Reading:
        try:
            with decoding():
                return model.recogniser.extractor.read(sound.clip.open(), name)
        except DataError as error:
            return Reading(name, error=" ".join(str(error).split()))
        except Exception:  # likewise
            LOG.exception("an upload cannot be judged")
            return Reading(name, error=UNREADABLE.format(name))

    if sound.seconds > CLIP_SECONDS:
        reason = f"{name}: {sound.seconds:.0f} s, over {CLIP_SECONDS} s: send it alone, for a timeline."
        return Reading(name, error=reason)
    return Reading(name, error=sound.error) if sound.error else cache.get((sound.clip.key, model.key), extracted)


def speakers(
    models: Sequence[Model], sounds: Sequence[MeasuredClip], cache: VisitorCache
) -> tuple[Speakers, list[tuple[MeasuredClip, str]]]:
    """Return what adapts each model to the speaker of these clips, None where nothing does; and what was refused."""
    adapted, refused = [], {}
    for model in models:
        readings = [(sound, read(sound, model, cache)) for sound in sounds if model.predictor.adapts]
        refused |= {sound.clip.key: (sound, reading.error) for sound, reading in readings if reading.error}
        features = [reading.features for _, reading in readings if not reading.error]
        adapted.append(model.predictor.enrolled(features) if features else None)
    return adapted, list(refused.values())
