"""Memory of processes that live long: what they keep, and when Python looks for garbage."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 16 * 1024 * 1024


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the garbage collector for a block that makes objects which stay, such as modules.

    There it finds no garbage, and costs a tenth of the block's time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def use_one_blas_thread() -> None:
    """Call it before NumPy is imported, which comes with Shapely: it would start a thread for each core.

    Nothing here multiplies matrices, and idle threads of BLAS keep their cores busy for a while.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def keep_freed_memory() -> None:
    """Make glibc keep the memory of a large answer for the next one; do nothing where the C library is another.

    To get it from the kernel again would take a tenth of the next answer's time.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(option, KEPT_BYTES)
