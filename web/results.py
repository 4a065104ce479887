"""The part of the page that answers: one clip, many, or a recording over time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from prediction import timeline_files
from prediction.answers import Answer, csv_text
from prediction.frame_times import frame_seconds
from prediction.predictor import SpeakerStatistics
from prediction.timeline_files import Timeline
from prediction.timeline_settings import DEFAULT_SETTINGS, TimelineSettings
from utils import plots
from utils.audio.prepare import read_wave
from utils.errors import DataError
from utils.plots import explanations as explanation_plots
from utils.plots import timeline as timeline_plots
from web import state, text
from web.state import Asked, MeasuredClip, Model, Speakers, VisitorCache
from web.uploads import CLIP_SECONDS

WIDE = 6.4  # inches of a picture: its text can be read on a telephone
WHOLE, OVER_TIME = "as one clip", "over time"


def one(
    sound: MeasuredClip,
    models: Sequence[Model],
    speakers: Speakers,
    asked: Asked,
    cache: VisitorCache,
) -> None:
    """Show the models' answers for one recording."""
    if sound.error:
        st.error(text.refusal(sound.clip.name, sound.error))
        return
    st.markdown(text.code(sound.clip.name))
    st.audio(sound.clip.content, format=sound.clip.media_type)
    if sound.seconds > CLIP_SECONDS:
        st.markdown(f"{sound.seconds:.0f} s: over {CLIP_SECONDS} s, so it is judged over time.")
        timeline(sound, models, asked, cache)
    elif st.segmented_control("Judge it", [WHOLE, OVER_TIME], default=WHOLE) == OVER_TIME:
        timeline(sound, models, asked, cache)
    else:
        clip(sound, models, speakers, asked, cache)


def clip(
    sound: MeasuredClip,
    models: Sequence[Model],
    speakers: Speakers,
    asked: Asked,
    cache: VisitorCache,
) -> None:
    """Show answers, probabilities and pictures of one clip."""
    answers = {model.name: answered(model, [sound], speaker, asked, cache)[0]
               for model, speaker in zip(models, speakers, strict=True)}  # fmt: skip
    errors = {answer.error: None for answer in answers.values() if answer.error}
    for error in errors:
        st.error(text.refusal(sound.clip.name, error))
    if errors:
        return
    if len(models) > 1:
        st.markdown(text.verdict(answers))
    top = max(max(answer.probabilities.values()) for answer in answers.values())
    labels = answers[models[0].name].probabilities.keys()
    for model, column in zip(models, st.columns(len(models)), strict=True):
        with column:
            answer = answers[model.name]
            order = answers[models[0].name].ranked if answer.probabilities.keys() == labels else answer.ranked
            _answer(model, answer, order=order, limit=max(0.25, np.ceil(top * 4 - 1e-9) / 4))
    _pictures(sound, models, speakers, cache)


def _answer(model: Model, answer: Answer, *, order: Sequence[str], limit: float) -> None:
    """Show one model's answer: bars in this order of labels, and a radar chart whose outer ring is ``limit``.

    Where no emotion is named there are neither: they would be taken for the answer.
    """
    st.header(answer.headline, anchor=False)
    st.caption(text.evidence(model.name, model.card))
    if answer.rule.gives_sets and not answer.is_outside:
        st.markdown(f"Label set: {', '.join(answer.label_set)}")
    if answer.warning:
        st.warning(text.warning(answer.warning))
    for hint in answer.hints:
        st.warning(f"Unlike the training clips: {hint['text']}")
    if answer.is_outside:
        return
    for label in order:
        st.progress(answer.probabilities[label], text=f"{label} {answer.probabilities[label]:.1%}")
    chart = plots.radar(list(answer.probabilities.values()), list(answer.probabilities), title=" ", limit=limit)
    words = ", ".join(f"{label} {answer.probabilities[label]:.0%}" for label in answer.ranked)
    _picture(chart, f"Probabilities: {words}", "The same probabilities, calibrated, as a radar chart.")


def _pictures(sound: MeasuredClip, models: Sequence[Model], speakers: Speakers, cache: VisitorCache) -> None:
    """Show the wave as the first model gets it, and the spectrogram with the attention of those that have any."""
    part = models[0].card.get("members", [models[0].card])[0]
    rate = part["rate"]
    wave = read_wave(sound.clip.open(), rate, **part["clip"])
    words = text.level(wave, rate)
    _picture(plots.waveform(wave, rate, width=WIDE), f"Waveform: {words}", f"Waveform: {words}.")
    attending = [pair for pair in zip(models, speakers, strict=True) if pair[0].predictor.has_attention]
    for model, speaker in attending:
        model_wave = read_wave(sound.clip.open(), model.card["rate"], **model.card["clip"])
        length = len(model_wave) / model.card["rate"]
        features = state.read(sound, model, cache).features
        weights = model.predictor.attention([features], speaker)[0] * len(features)
        times = frame_seconds(model.card["features"], model.card["rate"], len(features), length)
        decibels, khz = plots.levels(model_wave, model.card["rate"])
        drawn = explanation_plots.clip_explanation(decibels, length, khz, {}, attention=(times, weights), width=WIDE)
        words = text.attention(times, weights)
        _picture(drawn, f"Spectrogram with attention. {words}",
                 f"Spectrogram, and over it what {text.code(model.name)} attends to. {words}")  # fmt: skip
    if not attending:
        caption = "Spectrogram: level over time and frequency, down to 80 dB below the loudest point."
        _picture(plots.spectrogram(wave, rate, width=WIDE), caption, caption)


def many(
    sounds: Sequence[MeasuredClip],
    models: Sequence[Model],
    speakers: Speakers,
    asked: Asked,
    cache: VisitorCache,
) -> None:
    """Show a table of many recordings, and give it as CSV."""
    progress = st.progress(0.0, text="reading")
    for number, model in enumerate(models):
        for done, sound in enumerate(sounds, 1):
            state.read(sound, model, cache)
            progress.progress((number * len(sounds) + done) / (len(models) * len(sounds)), text="reading")
    progress.empty()
    answers = {model.name: answered(model, sounds, speaker, asked, cache)
               for model, speaker in zip(models, speakers, strict=True)}  # fmt: skip
    st.markdown(text.summary(answers))
    rows = text.table(answers)
    share = st.column_config.NumberColumn(format="percent")
    st.dataframe(rows, column_config={"probability": share}, hide_index=True)
    for model in models:
        of_model = answers[model.name]
        content = csv_text(of_model, model.recogniser.labels, of_model[0].rule)
        st.download_button(f"Table of {model.name} (CSV)", content, f"{model.name}.csv", "text/csv", on_click="ignore")
        st.caption(text.evidence(model.name, model.card))


def timeline(sound: MeasuredClip, models: Sequence[Model], asked: Asked, cache: VisitorCache) -> None:
    """Show the emotions of a recording of any length over time, each channel for itself."""
    adaptable = [model for model in models if model.predictor.adapts]
    adapt = bool(adaptable) and st.toggle("Scale by each channel's own voice")
    for model in models:
        adapted = adapt and model in adaptable
        try:
            settings = replace(DEFAULT_SETTINGS, adapt=adapted, always_name=asked.always_name)  # else as --timeline
            key = (sound.clip.key, model.key, asked.always_name, adapted)
            document = cache.get(key, lambda m=model, s=settings: _timeline(sound, m, s))
        except DataError as error:
            st.error(text.refusal(sound.clip.name, " ".join(str(error).split())))
            return
        note = model.recogniser.window_note()
        st.caption(
            f"{text.evidence(model.name, model.card)}. It judges a window of 3 s each second, where somebody speaks"
            + (f"; it was {note}." if note else ".")
        )
        channels = timeline_files.channel_lines(document)
        words = ". ".join(channels)
        _picture(timeline_plots.timeline(document, width=WIDE), words, "Probabilities over time; above them the "
                 "smoothed emotion, and a line where somebody speaks.")  # fmt: skip
        for channel, line in zip(document["channels"], channels, strict=True):
            st.markdown(line)
            if channel["warning"]:
                st.warning(text.warning(channel["warning"]))
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


def _timeline(sound: MeasuredClip, model: Model, settings: TimelineSettings) -> Timeline:
    progress = st.progress(0.0, text="reading")

    def report(done: float, total: float) -> None:
        progress.progress(min(1.0, done / max(total, 1)), text=f"reading: {done:.0f} of {total:.0f} s")

    document = model.recogniser.timeline(sound.clip.open(), settings, report=report)
    progress.empty()
    return document


def answered(
    model: Model,
    sounds: Sequence[MeasuredClip],
    speaker: SpeakerStatistics | None,
    asked: Asked,
    cache: VisitorCache,
) -> list[Answer]:
    """Return a model's answers for clips, with label sets where it has thresholds for the coverage asked for."""
    coverage = asked.coverage if text.has_sets(model.card, asked.coverage) else None
    rule = model.recogniser.rule(coverage, always_name=asked.always_name)
    readings = [state.read(sound, model, cache) for sound in sounds]
    return list(model.recogniser.answer_readings(readings, rule=rule, speaker=speaker))


def _picture(figure: Any, alt: str, caption: str) -> None:
    st.image(plots.png(figure, dark=st.context.theme.type == "dark"), caption=caption, alt=alt, width="stretch")
