"""What the page keeps: open checkpoints for all visitors, sounds and what was made of them for one alone."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from prediction.extractor import Extractor
from prediction.predictor import Predictor
from utils.errors import ConfigError, DataError
from web import uploads
from web.uploads import CLIP_SECONDS, Clip

LOG = logging.getLogger(__name__)
UNREADABLE = "{}: cannot be read; the server's log says why."
MOST_OPEN = 3  # checkpoints; the memory of a small host is soon full of them


@dataclass(frozen=True)
class Model:
    """A checkpoint that is open; ``key`` is another once it is trained again, ``name`` its folder's."""

    key: str
    name: str
    predictor: Predictor
    extractor: Extractor

    @property
    def card(self) -> dict[str, Any]:
        return self.predictor.card

    def window(self, samples: Any, rate: int) -> Any:
        """Return ``Extractor.window`` of samples (n, 1), once it is our turn."""
        with turn():
            return self.extractor.window(samples, rate)


@dataclass(frozen=True)
class Sound:
    """What came of an upload: its length in seconds, or why it is refused."""

    clip: Clip
    seconds: float = 0.0
    error: str = ""


class Kept:
    """What was computed for this visitor, so that a click elsewhere on the page does not compute it again."""

    def __init__(self):
        self._all: dict[tuple, Any] = st.session_state.setdefault("kept", {})
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
    predictor = Predictor(Path(folder))
    return Model(f"{folder} {changed}", Path(folder).name, predictor, Extractor(predictor.card))


@st.cache_resource
def turn() -> threading.Lock:
    """Return the lock that extraction takes: openSMILE's code is not made for threads, and each visitor has one."""
    return threading.Lock()


def measured(clip: Clip) -> Sound:
    """Return how long a clip is, or why it is refused."""
    try:
        return Sound(clip, uploads.seconds(clip))
    except DataError as error:
        return Sound(clip, error=" ".join(str(error).split()))
    except Exception:  # one broken file must not take the answers of the others
        LOG.exception("an upload cannot be read")
        return Sound(clip, error=UNREADABLE.format(clip.name))


def read(sound: Sound, model: Model, kept: Kept) -> Any:
    """Return what ``Extractor.read`` gives, or the reason (str) why it gives nothing."""

    def extracted() -> Any:
        try:
            with turn():
                return model.extractor.read(sound.clip.open())
        except DataError as error:
            return " ".join(str(error).split())
        except Exception:  # likewise
            LOG.exception("an upload cannot be judged")
            return UNREADABLE.format(sound.clip.name)

    if sound.seconds > CLIP_SECONDS:
        return f"{sound.clip.name}: {sound.seconds:.0f} s, over {CLIP_SECONDS} s: send it alone, for a timeline."
    return sound.error or kept.get((sound.clip.key, model.key), extracted)


def voices(models: Sequence[Model], sounds: Sequence[Sound], kept: Kept) -> tuple[list[Any], list[tuple[Sound, str]]]:
    """Return what adapts each model to the speaker of these sounds, None where nothing does; and what was refused."""
    adapted, refused = [], {}
    for model in models:
        found = [(sound, read(sound, model, kept)) for sound in sounds if model.predictor.takes_speaker]
        refused |= {sound.clip.key: (sound, reason) for sound, reason in found if isinstance(reason, str)}
        usable = [features[0] for _, features in found if not isinstance(features, str)]
        adapted.append(model.predictor.enrolled(usable) if usable else None)
    return adapted, list(refused.values())
