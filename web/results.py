"""The part of the page that answers: one clip, many, or a recording over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from prediction import timeline_files
from prediction.answering import answers, least, window_note
from prediction.answers import Answer, Wanted, csv_text
from prediction.frame_times import frame_seconds
from prediction.recording import listen
from prediction.timeline import Grid
from utils import plots
from utils.audio.prepare import read_wave
from utils.errors import DataError
from utils.plots import explanations as explanation_plots
from utils.plots import timeline as timeline_plots
from web import state, text
from web.state import Kept, Model, Sound
from web.uploads import CLIP_SECONDS

DWELL, LEAST = 10.0, 2.0  # seconds, as predict.py --timeline
WIDE = 6.4  # inches of a picture: on a telephone its words can still be read
WHOLE, OVER_TIME = "as one clip", "over time"


def one(sound: Sound, models: Sequence[Model], voices: Sequence[Any], coverage: float | None, kept: Kept) -> None:
    """Show what the models say of one recording."""
    if sound.error:
        st.error(text.refusal(sound.clip.name, sound.error))
        return
    st.markdown(text.code(sound.clip.name))
    st.audio(sound.clip.content, format=sound.clip.media_type)
    if sound.seconds > CLIP_SECONDS:
        st.markdown(f"{sound.seconds:.0f} s: over {CLIP_SECONDS} s, so it is judged over time.")
        timeline(sound, models, kept)
    elif st.segmented_control("Judge it", [WHOLE, OVER_TIME], default=WHOLE) == OVER_TIME:
        timeline(sound, models, kept)
    else:
        clip(sound, models, voices, coverage, kept)


def clip(sound: Sound, models: Sequence[Model], voices: Sequence[Any], coverage: float | None, kept: Kept) -> None:
    """Show answers, probabilities and pictures of one clip."""
    said = {model.name: asked(model, [sound], voice, coverage, kept)[0]
            for model, voice in zip(models, voices, strict=True)}  # fmt: skip
    errors = {answer.error: None for answer in said.values() if answer.error}
    for error in errors:
        st.error(text.refusal(sound.clip.name, error))
    if errors:
        return
    if len(models) > 1:
        st.markdown(text.verdict(said))
    top = max(max(answer.probabilities.values()) for answer in said.values())
    labels = said[models[0].name].probabilities.keys()
    for model, column in zip(models, st.columns(len(models)), strict=True):
        with column:
            answer = said[model.name]
            order = said[models[0].name].ranked if answer.probabilities.keys() == labels else answer.ranked
            _answer(model, answer, order=order, limit=max(0.25, np.ceil(top * 4 - 1e-9) / 4))
    _pictures(sound, models, voices, kept)


def _answer(model: Model, answer: Answer, *, order: Sequence[str], limit: float) -> None:
    """Show one model's answer: bars in this order of labels, and a radar chart whose outer ring is ``limit``."""
    st.header(answer.top, anchor=False)
    st.caption(text.evidence(model.name, model.card))
    if answer.wanted.sets:
        st.markdown(f"Label set: {', '.join(answer.label_set)}")
    for hint in answer.hints:
        st.warning(f"Unlike the training clips: {hint['text']}")
    for label in order:
        st.progress(answer.probabilities[label], text=f"{label} {answer.probabilities[label]:.1%}")
    chart = plots.radar(list(answer.probabilities.values()), list(answer.probabilities), title=" ", limit=limit)
    words = ", ".join(f"{label} {answer.probabilities[label]:.0%}" for label in answer.ranked)
    _picture(chart, f"Probabilities: {words}", "The same probabilities, calibrated, as a radar chart.")


def _pictures(sound: Sound, models: Sequence[Model], voices: Sequence[Any], kept: Kept) -> None:
    """Show the wave as the first model gets it, and the spectrogram with the attention of those that have any."""
    part = models[0].card.get("members", [models[0].card])[0]
    rate = part["rate"]
    wave = read_wave(sound.clip.open(), rate, **part["clip"])
    words = text.level(wave, rate)
    _picture(plots.waveform(wave, rate, width=WIDE), f"Waveform: {words}", f"Waveform: {words}.")
    attending = [pair for pair in zip(models, voices, strict=True) if pair[0].predictor.attends]
    for model, voice in attending:
        own = read_wave(sound.clip.open(), model.card["rate"], **model.card["clip"])
        length = len(own) / model.card["rate"]
        features = state.read(sound, model, kept)[0]
        weights = model.predictor.attention([features], voice)[0] * len(features)
        times = frame_seconds(model.card["features"], model.card["rate"], len(features), length)
        decibels, khz = plots.levels(own, model.card["rate"])
        drawn = explanation_plots.clip_explanation(decibels, length, khz, {}, attention=(times, weights), width=WIDE)
        words = text.attention(times, weights)
        _picture(drawn, f"Spectrogram with attention. {words}",
                 f"Spectrogram, and over it what {text.code(model.name)} attends to. {words}")  # fmt: skip
    if not attending:
        said = "Spectrogram: level over time and frequency, 80 dB below the loudest point."
        _picture(plots.spectrogram(wave, rate, width=WIDE), said, said)


def many(sounds: Sequence[Sound], models: Sequence[Model], voices: Sequence[Any], coverage: float | None,
         kept: Kept) -> None:  # fmt: skip
    """Show a table of many recordings, and give it as CSV."""
    progress = st.progress(0.0, text="listening")
    for number, model in enumerate(models):
        for done, sound in enumerate(sounds, 1):
            state.read(sound, model, kept)
            progress.progress((number * len(sounds) + done) / (len(models) * len(sounds)), text="listening")
    progress.empty()
    said = {model.name: asked(model, sounds, voice, coverage, kept)
            for model, voice in zip(models, voices, strict=True)}  # fmt: skip
    st.markdown(text.summary(said))
    rows = text.table(said)
    share = st.column_config.NumberColumn(format="percent")
    st.dataframe(rows, column_config={"probability": share}, hide_index=True)
    for model in models:
        found = said[model.name]
        content = csv_text(found, model.predictor.labels, found[0].wanted)
        st.download_button(f"Table of {model.name} (CSV)", content, f"{model.name}.csv", "text/csv", on_click="ignore")
        st.caption(text.evidence(model.name, model.card))


def timeline(sound: Sound, models: Sequence[Model], kept: Kept) -> None:
    """Show what the models say of a recording of any length, each channel for itself."""
    adaptable = [model for model in models if model.predictor.takes_speaker]
    adapt = bool(adaptable) and st.toggle("Scale by each channel's own voice")
    for model in models:
        own = adapt and model in adaptable
        try:
            document = kept.get((sound.clip.key, model.key, own), lambda m=model, a=own: _listened(sound, m, adapt=a))
        except DataError as error:
            st.error(text.refusal(sound.clip.name, " ".join(str(error).split())))
            return
        note = window_note(model.card)
        st.caption(
            f"{text.evidence(model.name, model.card)}. Here it judges 3 s each second, wherever somebody speaks"
            + (f"; it was {note}." if note else ".")
        )
        channels = timeline_files.summary(document).splitlines()[1:]
        words = ". ".join(line.strip() for line in channels)
        _picture(timeline_plots.timeline(document, width=WIDE), words, "Probabilities over time; above them the "
                 "settled emotion, and a line where somebody speaks.")  # fmt: skip
        for line in channels:
            st.markdown(line.strip())
        name = f"{model.name}_timeline"
        with st.container(horizontal=True):
            st.download_button(
                "Table (CSV)", timeline_files.csv_text(document), f"{name}.csv", "text/csv", on_click="ignore",
                key=f"csv {model.key}",
            )  # fmt: skip
            st.download_button(
                "TextGrid (Praat)", timeline_files.textgrid_text(document), f"{name}.TextGrid", "text/plain",
                on_click="ignore", key=f"grid {model.key}",
            )  # fmt: skip


def _listened(sound: Sound, model: Model, *, adapt: bool) -> dict[str, Any]:
    progress = st.progress(0.0, text="listening")

    def report(done: float, total: float) -> None:
        progress.progress(min(1.0, done / max(total, 1)), text=f"listening: {done:.0f} of {total:.0f} s")

    document = listen(
        sound.clip.open(), model.predictor, model.window, grid=Grid(), dwell=DWELL, least=LEAST, adapt=adapt,
        report=report,
    )  # fmt: skip
    progress.empty()
    return document


def asked(model: Model, sounds: Sequence[Sound], voice: Any, coverage: float | None, kept: Kept) -> list[Answer]:
    """Return what a model says of clips, with label sets where it has some of this coverage."""
    known = coverage if text.knows(model.card, coverage) else None
    found = [(sound.clip.name, state.read(sound, model, kept)) for sound in sounds]
    return list(answers(model.predictor, found, voice, Wanted(least(model.card, known))))


def _picture(figure: Any, alt: str, caption: str) -> None:
    st.image(plots.png(figure, dark=st.context.theme.type == "dark"), caption=caption, alt=alt, width="stretch")
