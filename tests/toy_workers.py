"""What tests have done by other processes, which import it by name."""

import ctypes
import os
import signal
import time
from pathlib import Path


def deadly(path: Path) -> str:
    """Return the name of a path, after a moment; a file called poison kills the process that gets it."""
    if path.name == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return path.name


def slow(seconds: float) -> int:
    """Return the number of this process after some seconds."""
    time.sleep(seconds)
    return os.getpid()


def stuck(seconds: float) -> int:
    """Return the number of this process after some seconds within a C function that lets no other thread run."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    return os.getpid()


def threads(_) -> tuple[int, int, int]:
    """Return this process's number, how many thread pools it has, and how many threads the largest has."""
    import numpy as np
    import scipy.linalg
    from threadpoolctl import threadpool_info

    scipy.linalg.inv(np.eye(3))  # loads its own pool
    pools = [pool["num_threads"] for pool in threadpool_info()]
    return os.getpid(), len(pools), max(pools)


def not_fit() -> str:
    """Return why this process cannot take part."""
    return "has no room."
