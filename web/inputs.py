"""The part of the page that asks: for checkpoints, for sounds, for a speaker's voice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from models.speaker_offset import SpeakerOffset
from prediction.checkpoints import GENERAL
from utils.errors import ConfigError, DataError
from web import state, text, uploads
from web.state import Asked, MeasuredClip, Model, Speakers, VisitorCache
from web.uploads import CLIP_SECONDS, LONGEST_SECONDS, MOST_FILES, MOST_MB, Clip

ALONE = "no other"


def choice(folder: Path) -> tuple[list[Model], Asked]:
    """Draw the sidebar; return one or two models and what is asked of their answers.

    Raises:
        ConfigError: no checkpoints in the folder, or one that cannot be opened.
    """
    checkpoints = (path.parent for path in folder.glob("[!.]*/model.json"))
    folders = {path.name: path for path in sorted(checkpoints, key=lambda path: (path.name != GENERAL, path.name))}
    if not folders:
        raise ConfigError("No checkpoint here. Train one (make demo), or name their folder in SER_CHECKPOINTS.")
    with st.sidebar:
        first = st.selectbox("Checkpoint", list(folders))
        second = st.selectbox("Compare with", [ALONE, *(name for name in folders if name != first)])
        models = [state.opened(folders[name]) for name in (first, second) if name != ALONE]
        known = [float(share) for share in models[0].card.get("conformal") or {}]
        coverage = st.selectbox(
            "Label set",
            [None, *known],
            format_func=lambda c: f"to hold the true label {c:.0%} of the time" if c else "none",
        )
        always_name = st.checkbox("Name an emotion even for what is unlike anything the model learned")
        for model in models:
            st.divider()
            st.markdown(text.facts(model.card, coverage))
        st.divider()
        st.caption(text.LIMITS)
    return models, Asked(coverage, always_name)


def recordings(cache: VisitorCache) -> list[MeasuredClip]:
    """Draw what takes recordings, and within which limits; return those that came.

    Raises:
        DataError: too many at once.
    """
    sent = st.file_uploader("Recordings", accept_multiple_files=True, max_upload_size=MOST_MB)
    recorded = st.audio_input("Or record from the microphone", sample_rate=None)
    st.caption(
        f"At most {MOST_FILES} files of {MOST_MB} MB. Up to {CLIP_SECONDS} s a file is judged as one clip, longer ones "
        f"over time, up to {LONGEST_SECONDS // 60} minutes. Sounds are held in memory while this page is open and "
        "for a while after, and never written to disk."
    )
    return _taken([*sent, *([recorded] if recorded else [])], cache)


def speakers(models: Sequence[Model], cache: VisitorCache) -> Speakers:
    """Draw the enrolment where a model can use it; return what adapts each model, None where nothing does.

    Raises:
        DataError: too many clips at once.
    """
    if not any(model.predictor.adapts for model in models):
        return [None] * len(models)
    with st.expander("Enrol the speaker"):
        st.caption("A few clips of the same voice, best in several emotions. Clips, not timelines, are measured by it.")
        sounds = _taken(
            st.file_uploader("Clips of the speaker", accept_multiple_files=True, max_upload_size=MOST_MB), cache
        )
        adapted, refused = state.speakers(models, sounds, cache)
        for sound, reason in refused:
            st.error(text.refusal(sound.clip.name, reason))
        for model, speaker in zip(models, adapted, strict=True):
            if speaker is not None:
                used = len(sounds) - len(refused)
                note = f" {speaker.note}" if isinstance(speaker, SpeakerOffset) else ""
                st.markdown(
                    f"{text.code(model.name)} is adapted by {used} clip{'s' * (used != 1)} of the speaker.{note}"
                )
    return adapted


def _taken(sent: Sequence[Any], cache: VisitorCache) -> list[MeasuredClip]:
    if len(sent) > MOST_FILES:
        raise DataError(f"{len(sent)} files: at most {MOST_FILES} are taken at once.")
    clips = [Clip(upload.file_id, uploads.shown(upload.name), upload.getvalue()) for upload in sent]
    return [cache.get((clip.key, "sound"), lambda clip=clip: state.measured(clip)) for clip in clips]
