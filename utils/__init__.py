"""Tools of the house; the plots load when first used: ``utils.radar(probabilities, labels)``."""

PLOTS = ("radar", "confusion", "curves", "waveform", "spectrogram", "save")


def __getattr__(name: str):
    if name in PLOTS:
        from utils import plots  # matplotlib takes longer to import than a prediction to make

        return getattr(plots, name)
    raise AttributeError(f"module 'utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *PLOTS])
