"""A figure that costs nothing."""

import base64
import io
from pathlib import Path

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC")


def save_pixel(figure, target: Path | str | io.BytesIO, **_) -> None:
    """Write a PNG of one white pixel in place of ``Figure.savefig``."""
    if isinstance(target, io.BytesIO):
        target.write(PIXEL)
    else:
        Path(target).write_bytes(PIXEL)
