"""Frame descriptors with librosa's numbers, computed without importing it, from one spectrogram per clip.

Any selection of mfcc, delta, delta2, centroid, flatness, chroma (12), mel, contrast (7), zcr, rms: the
columns come in this order, however they are listed. Presets fix the selection and the frame sizes in
samples, not the rate: at 22,050 Hz their 2048 and 512 samples are the published 93 and 23 ms, at 16,000 Hz
128 and 32 ms.

- ``stack187``: mfcc 13, delta, delta2, chroma, mel 128, contrast, zcr.
- ``stack201``: mfcc 50, centroid, flatness, chroma, mel 128, contrast, zcr, rms.
- ``mfcc``: mfcc alone, 39 unless ``n_mfcc`` is given.

The published code of both stacks takes mel as power, which spans eight orders of magnitude, so that after
scaling a few loud frames are all a model sees. Here it is in dB (``mel: power`` gives theirs): an RBF SVM
on the pooled stack187 of RAVDESS, EmoBox folds, standardised per speaker, gains five points of UAR by it.

McFee et al., librosa 0.11, doi 10.25080/Majora-7b98e3ed-003.
"""

from typing import Literal

import numpy as np

from extract_feats import Grid, Layout
from extract_feats.dsp.filters import N_CONTRAST, contrast_bands
from extract_feats.dsp.spectrum import Spectrum, check_sizes, delta
from utils.errors import ConfigError
from utils.plugins import nearest

ORDER = ("mfcc", "delta", "delta2", "centroid", "flatness", "chroma", "mel", "contrast", "zcr", "rms")
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SIZES = {"n_mfcc": 13, "n_mels": 128, "n_fft": 2048, "hop": 512}
PRESETS = {
    "stack187": {**SIZES, "features": ["mfcc", "delta", "delta2", "chroma", "mel", "contrast", "zcr"]},
    "stack201": {
        **SIZES,
        "n_mfcc": 50,
        "features": ["mfcc", "centroid", "flatness", "chroma", "mel", "contrast", "zcr", "rms"],
    },
    "mfcc": {**SIZES, "n_mfcc": 39, "features": ["mfcc"]},
}
OPEN = {"mfcc": ("n_mfcc",)}  # what a preset leaves to the user
VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    preset: Literal["mfcc", "stack187", "stack201"] | None = None,
    features: list[str] = [],
    n_mfcc: int | None = None,
    n_mels: int | None = None,
    n_fft: int | None = None,
    hop: int | None = None,
    mel: Literal["db", "power"] = "db",
    tuning: float | None = None,
) -> np.ndarray:
    """Return (1 + n // hop, dims) float32 of a mono wave (n,); frames are centred on multiples of the hop.

    Args:
        rate: Hz.
        preset: fixes features, n_mfcc, n_mels, n_fft and hop; without preset and features, stack187.
        features: which descriptors, instead of a preset.
        n_mfcc, n_mels, n_fft, hop: None: as the preset has them; without one 13, 128, 2048 and 512 samples.
        mel: dB, at most 80 below the clip's maximum, or power.
        tuning: of the chroma, in semitones from A440; None estimates it from the clip, as librosa does.

    Raises:
        ConfigError: an unknown or repeated feature, or a value that a preset fixes to another.
        DataError: fewer than n_fft samples.
    """
    recipe = layout(
        preset=preset,
        features=features,
        n_mfcc=n_mfcc,
        n_mels=n_mels,
        n_fft=n_fft,
        hop=hop,
        mel=mel,
        tuning=tuning,
    ).recipe
    spectrum = Spectrum(wave, rate, n_fft=recipe["n_fft"], hop=recipe["hop"], n_mels=recipe.get("n_mels", 1))
    return np.hstack([_column(spectrum, feature, recipe) for feature in recipe["features"]])


def layout(
    *,
    preset: Literal["mfcc", "stack187", "stack201"] | None = None,
    features: list[str] = [],
    n_mfcc: int | None = None,
    n_mels: int | None = None,
    n_fft: int | None = None,
    hop: int | None = None,
    mel: Literal["db", "power"] = "db",
    tuning: float | None = None,
) -> Layout:
    """Return the layout; arguments that do not bear on the chosen features are not in the recipe."""
    if preset is None and not features:
        preset = "stack187"
    sizes = {"n_mfcc": n_mfcc, "n_mels": n_mels, "n_fft": n_fft, "hop": hop}
    chosen = _fill(preset, {"features": _ordered(features), **sizes})
    check_sizes(chosen["n_fft"], chosen["hop"], chosen["n_fft"], chosen["n_mels"])
    same = [name for name, fixed in PRESETS.items() if _relevant(fixed) == _relevant(chosen)]
    recipe = _relevant({**chosen, "mel": mel, "tuning": None if tuning is None else float(tuning)})
    if not 1 <= recipe.get("n_mfcc", 1) <= chosen["n_mels"]:
        raise ConfigError(f"n_mfcc must be 1 to {chosen['n_mels']} (n_mels), got {chosen['n_mfcc']}.")
    grid = Grid(hop=chosen["hop"], start=0, unit="samples")
    return Layout(same[0] if same else "-".join(recipe["features"]), True, recipe, VERSION, grid)


def names(rate: int, **arguments) -> list[str]:
    """Return one name a column, e.g. mfcc_0, chroma_C, mel_127, zcr; the arguments are those of ``layout``.

    Raises:
        ConfigError: as ``layout``, or a rate too low for the contrast bands.
    """
    recipe = layout(**arguments).recipe
    if "contrast" in recipe["features"]:
        contrast_bands(rate, recipe["n_fft"])
    return [name for feature in recipe["features"] for name in column_names(feature, **recipe)]


def column_names(feature: str, n_mfcc: int = 0, n_mels: int = 0, **_) -> list[str]:
    """Return the names of one descriptor's columns."""
    if feature == "chroma":
        return [f"chroma_{note}" for note in NOTES]
    widths = {"mfcc": n_mfcc, "delta": n_mfcc, "delta2": n_mfcc, "mel": n_mels, "contrast": N_CONTRAST}
    return [f"{feature}_{i}" for i in range(widths[feature])] if feature in widths else [feature]


def _column(spectrum: Spectrum, feature: str, recipe: dict) -> np.ndarray:
    match feature:
        case "mfcc":
            return spectrum.cepstrum[:, : recipe["n_mfcc"]]
        case "delta" | "delta2":
            return delta(spectrum.cepstrum[:, : recipe["n_mfcc"]], order=1 if feature == "delta" else 2)
        case "chroma":
            return spectrum.chroma(recipe["tuning"])
        case "mel":
            return spectrum.mel_db if recipe["mel"] == "db" else spectrum.mel
        case _:
            return getattr(spectrum, feature)


def _ordered(features: list[str]) -> list[str]:
    for feature in features:
        if feature not in ORDER:
            hint = nearest(feature, ORDER)
            raise ConfigError(f"{feature!r} is not a frame feature.{hint} Known: {', '.join(ORDER)}.")
    if len(set(features)) < len(features):
        raise ConfigError(f"features lists one twice: {', '.join(features)}.")
    return [feature for feature in ORDER if feature in features]


def _fill(preset: str | None, given: dict) -> dict:
    fixed = PRESETS[preset] if preset else SIZES
    for key, value in given.items():
        if preset and value not in (None, [], fixed[key]) and key not in OPEN.get(preset, ()):
            raise ConfigError(
                f"preset {preset} fixes {key} to {fixed[key]!r}, got {value!r}. "
                f"To vary it, give no preset but features: [{', '.join(fixed['features'])}]."
            )
    return {key: fixed[key] if value in (None, []) else value for key, value in given.items()}


def _relevant(chosen: dict) -> dict:
    features = set(chosen["features"])
    cepstral = bool(features & {"mfcc", "delta", "delta2"})
    used = {"n_mfcc": cepstral, "n_mels": cepstral or "mel" in features, "mel": "mel" in features}
    used["tuning"] = "chroma" in features
    return {key: value for key, value in sorted(chosen.items()) if used.get(key, True)}
