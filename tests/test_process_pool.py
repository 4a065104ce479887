"""The process pool: an item that kills its process is named, all others are done, nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.toy_workers import deadly, slow, threads
from utils.plugins import ROOT
from utils.process_pool import AHEAD, KILLED, Lost, Processes


def test_an_item_that_kills_its_process_stops_no_other():
    items = [Path(f"clip{number}") for number in range(20)]
    items[3], items[4], items[17] = Path("a", "poison"), Path("b", "poison"), Path("c", "poison")
    with Processes(2) as processes:
        results = list(processes.map(deadly, items))
        assert sorted(item for item, _ in results) == sorted(items)
        assert dict(results) == {item: Lost(KILLED) if item.name == "poison" else item.name for item in items}
        assert dict(processes.map(deadly, items[:2])) == {item: item.name for item in items[:2]}  # it goes on


def test_few_items_wait_at_a_time():
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield Path(f"clip{number}")

    with Processes(1) as processes:
        results = processes.map(deadly, items())
        next(results)
        assert len(taken) <= AHEAD + 1
        assert len(list(results)) == 49


def test_an_error_is_raised_and_ends_the_processes():
    with pytest.raises(AttributeError, match="no attribute 'name'"), Processes(1) as processes:
        list(processes.map(deadly, [3]))


def test_a_worker_computes_with_one_thread():
    with Processes(1) as processes:
        ((_, (process, pools, most)),) = processes.map(threads, [0])
    assert process != os.getpid() and pools >= 1 and most == 1


def test_an_item_that_takes_too_long_is_named_and_ends_no_other():
    items = [0.0, 60.0, 0.01, 0.02, 0.03]
    with Processes(2, seconds=2) as processes:
        results = dict(processes.map(slow, items))
    assert results.pop(60.0) == Lost("reading it takes longer than 2 s")
    assert sorted(results) == [0.0, 0.01, 0.02, 0.03] and all(isinstance(pid, int) for pid in results.values())


def test_a_worker_has_the_environment_of_the_moment(monkeypatch):
    monkeypatch.setenv("SER_TEST", "now")
    with Processes(1) as processes:
        assert dict(processes.map(os.getenv, ["SER_TEST", "OMP_NUM_THREADS"])) == {
            "SER_TEST": "now", "OMP_NUM_THREADS": "1",
        }  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of prctl")
def test_workers_end_at_once_when_the_main_process_is_killed():
    """Also within a function of a library that lets no thread of Python run."""
    code = (
        "from utils.process_pool import Processes\nfrom tests.toy_workers import stuck\n"
        "with Processes(2) as p:\n    for _, pid in p.map(stuck, [0.01, 0.01, 30, 30]): print(pid, flush=True)"
    )
    main = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    workers = {int(main.stdout.readline()) for _ in range(2)}
    time.sleep(0.1)  # they are within it again
    main.send_signal(signal.SIGKILL)
    main.wait()
    main.stdout.close()
    end = time.monotonic() + 5
    while any(running(worker) for worker in workers):
        assert time.monotonic() < end, "a worker goes on"
        time.sleep(0.02)


def running(process: int) -> bool:
    try:
        state = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
