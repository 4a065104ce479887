"""What a sound may be at most: a small file can claim or unpack to more than any machine holds.

The web page has smaller limits of its own (``web.uploads``).
"""

from collections.abc import Iterator

from utils.errors import DataError

LOWEST_HZ, HIGHEST_HZ = 4000, 384_000
MOST_CHANNELS = 64
MOST_PER_SECOND = 1_536_000  # rate times channels: 32 channels at 48 kHz, 8 at 192 kHz
MOST_SAMPLES = 1 << 27  # of a clip, all channels together, also once resampled: 512 MiB, 2.3 hours of mono at 16 kHz
LONGEST_HOURS = 24  # of a recording that is read block by block
MOST_BYTES = 1 << 30  # of a clip on standard input, which is held as a whole
LARGEST_BLOCK = 1 << 22  # samples that are worked on at a time, where the result does not depend on it


def spans(length: int, size: int = LARGEST_BLOCK) -> Iterator[slice]:
    """Yield the parts of a long array that are worked on at a time.

    >>> list(spans(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    yield from (slice(start, min(start + size, length)) for start in range(0, length, size))


def check_format(rate: int, channels: int, name: object) -> None:
    """Refuse a rate in Hz and a number of channels that no speech has.

    Raises:
        DataError: begins with ``name``.
    """
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise DataError(
            f"{name}: its header states a sampling rate of {rate} Hz; {LOWEST_HZ} to {HIGHEST_HZ} Hz are read."
        )
    if not 1 <= channels <= MOST_CHANNELS or rate * channels > MOST_PER_SECOND:
        raise DataError(
            f"{name}: its header states {channels} channels at {rate} Hz; at most {MOST_CHANNELS}, and at most "
            f"{MOST_PER_SECOND:,} samples a second, are read."
        )


def check_length(samples: float, name: object) -> None:
    """Refuse a clip of more samples, all channels together, than are held at once; as ``check_format``."""
    if samples > MOST_SAMPLES:
        raise DataError(
            f"{name}: too long for one clip: more than {MOST_SAMPLES:,} samples over all channels (2.3 hours of mono "
            "at 16000 Hz). Cut it, or judge it over time: predict.py --timeline."
        )
