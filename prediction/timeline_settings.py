"""How a recording is judged over time. No numpy, so that the options of predict.py load nothing slow."""

from collections.abc import Sequence
from dataclasses import dataclass

from utils.errors import ConfigError


@dataclass(frozen=True)
class TimelineSettings:
    """When windows are, and how their answers are smoothed. Hop k is k * hop to (k + 1) * hop s, and has one window.

    Attributes:
        window: seconds that are judged at once.
        hop: seconds from one window to the next, at most the window.
        dwell: seconds that an emotion lasts on average, for the smoothing; 0: no smoothing.
        min_duration: seconds of speech that a new emotion must last to count as a change.
        channels: their names; (): mono, or left and right, or channel1, channel2, ...
        adapt: scale the features by each channel's own voice; for models with ``normalise: speaker``.
        always_name: name an emotion even where a window is unlike anything the model learned.
        centred: the window has its middle in the hop's; else it ends where the hop ends, and nothing waits.
    """

    window: float = 3.0
    hop: float = 1.0
    dwell: float = 10.0
    min_duration: float = 2.0
    channels: Sequence[str] = ()
    adapt: bool = False
    always_name: bool = False
    centred: bool = True

    def __post_init__(self):
        if not 0.1 <= self.hop <= self.window <= 60:
            raise ConfigError(f"--window {self.window:g} --hop {self.hop:g}: needs 0.1 <= hop <= window <= 60 seconds.")

    @property
    def ahead(self) -> float:
        """Seconds after the end of its hop that a window ends."""
        return (self.window - self.hop) / 2 if self.centred else 0.0


DEFAULT_SETTINGS = TimelineSettings()
