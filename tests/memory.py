"""Free the memory that earlier tests left behind, so that two workers of pytest-xdist fit into 4 GiB."""

import ctypes
import gc
import os
import sys
from pathlib import Path

GROWTH = 150 * 2**20  # bytes that a worker may grow by before it frees memory; freeing takes about half a second
STATM = Path("/proc/self/statm")  # Linux only; elsewhere nothing is freed


def resident() -> int:
    """Return the bytes of main memory that this process occupies; 0 where the system does not say."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if STATM.exists() else 0


def free() -> None:
    """Delete unreachable objects and the graphs of trained networks; hide what is left from the garbage collector.

    The collector would otherwise go through the objects of TensorFlow and the other libraries again and again.
    """
    if "keras" in sys.modules:
        _forget_networks()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.collect()  # of nothing, so that the collector takes the heap for small and looks at new objects early
    gc.set_threshold(700, 2, 1)  # and often: converting VGG16 to ONNX copies its weights 30 times
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)  # glibc would keep what is freed


def _forget_networks() -> None:
    """Clear Keras's session, and TensorFlow's list of gradient functions.

    Every trained network adds a gradient function that refers to its graph (``ReplicaContext.all_reduce``), and
    TensorFlow never removes one: 20 to 60 MiB per network. It is needed only while its graph is being built.
    """
    import keras
    from tensorflow.python.framework import ops

    gradients = ops.gradient_registry._registry
    for name in [name for name in gradients if name.startswith("CustomGradient-")]:
        del gradients[name]
    keras.utils.clear_session(free_memory=False)
