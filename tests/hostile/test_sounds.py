"""Damaged sounds cost one line each: no crash, no hang, no traceback, no memory beyond their own.

A few per kind here; ``make hostile`` tries as many as ``SER_HOSTILE`` says, others in each call if ``SER_HOSTILE_SEED``
says so.
"""

import os

import pytest

from tests.hostile import reading, sounds
from utils.process_pool import Lost, Processes

TRIED = int(os.environ.get("SER_HOSTILE", "0"))  # files of each kind
SEED = int(os.environ.get("SER_HOSTILE_SEED", "0"))
FEW = 30
SECONDS = 20.0  # a file at most; they hold .4 s of sound, some repeated
MOST_BYTES = 700 << 20  # of the process: a header may ask for as much as a clip may have


@pytest.mark.timeout(0)
def test_a_damaged_sound_is_read_or_refused_in_one_line():
    pytest.importorskip("resource", reason="getrusage")
    count = TRIED or FEW
    items = [(kind, SEED + number) for number in range(count) for kind in sounds.KINDS]
    with Processes(-1 if TRIED else 1, seconds=SECONDS) as processes:
        outcomes = dict(processes.map(reading.read, items))
    lost = {item: outcome.reason for item, outcome in outcomes.items() if isinstance(outcome, Lost)}
    results = {item: outcome for item, outcome in outcomes.items() if item not in lost}
    if TRIED:
        print(f"\n{reading.table(results, list(lost))}")  # noqa: T201  with -s, as make hostile calls it
        print(f"largest process: {max(one.process for one in results.values()) / 2**20:.0f} MiB")  # noqa: T201
    assert not lost
    assert not {item: one.failed for item, one in results.items() if one.failed}
    assert max(one.process for one in results.values()) < MOST_BYTES
    refused = sum(one.refused > 0 for one in results.values())
    assert 0.1 * len(results) < refused < 0.95 * len(results)  # else the damage is of one sort


@pytest.mark.parametrize("kind", sounds.KINDS)
def test_the_undamaged_file_is_read(kind, tmp_path):
    path = tmp_path / f"a{sounds.KINDS[kind][0]}"
    path.write_bytes(sounds.whole(kind))
    assert reading.stream.open_file(path).channels in (1, 2) and len(reading.read_wave(path, sounds.RATE)) > 6000
