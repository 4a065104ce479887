"""SECURITY.md states the limits that the code has, and tests that there are."""

import re

import pytest

from prediction import card, predictor
from utils import onnx_session, plugins, seeds
from utils.config import reading
from utils.download import unpack
from web import uploads

TEXT = " ".join((plugins.ROOT / "SECURITY.md").read_text(encoding="utf8").split())


@pytest.mark.parametrize(
    "stated",
    [
        f"{reading.LONGEST:,} characters, {reading.MOST:,} values",
        f"{reading.DEEPEST} levels, finite numbers, whole ones within 2^{(reading.LARGEST + 1).bit_length() - 1}",
        f"seeds to {seeds.LARGEST_SEED:,}",
        f"{card.LARGEST_FILE >> 20} MiB, {card.MOST_LABELS:,} labels, {card.MOST_MEMBERS} members",
        f"{onnx_session.LONGEST_CALL:g} s per call of up to {predictor.BATCH} clips",
        f"{unpack.RATIO} times the archive's size",
        f"{uploads.MOST_FILES} files of {uploads.MOST_MB} MB, {uploads.LONGEST_SECONDS // 60} minutes, "
        f"{uploads.MOST_CHANNELS} channels, {uploads.MOST_HZ:,} Hz",
    ],
)
def test_limits_are_those_of_the_code(stated):
    assert stated in TEXT


def test_every_test_that_is_named_is_there():
    named = set(re.findall(r"`(tests/\w+\.py)`", TEXT))
    assert len(named) > 10 and not [name for name in named if not (plugins.ROOT / name).is_file()]
