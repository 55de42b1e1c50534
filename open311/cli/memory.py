"""Memory of long-running processes: garbage collection, and memory that glibc keeps."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT_BYTES = 16 * 1024 * 1024


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the garbage collector during a block whose objects stay alive, such as an import of modules.

    After the block, the collector skips all objects that exist. Otherwise it would search them after the block and
    at the end of the process. These searches take a quarter of the CPU time of a short command. The collector would
    also write to the objects, and so copy the memory that a process shares with its forks.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def return_freed_memory() -> None:
    """Return freed memory to the kernel, also memory between blocks in use. Only glibc needs this call.

    Call this before a fork. Otherwise all forks keep memory that only imports and the loading of cities needed.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def use_one_blas_thread() -> None:
    """Keep NumPy's BLAS library from starting a thread for each core. Call this before Shapely imports NumPy.

    This server multiplies no matrices, and idle BLAS threads use CPU time for a while after their start.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def keep_freed_memory() -> None:
    """Make glibc keep the memory of a large answer for the next answer. Other C libraries are left unchanged.

    Otherwise glibc returns the memory to the kernel, and getting it back takes a tenth of the next answer's time.
    All threads share what is kept. They seldom wait for each other, because the GIL lets one of them run at a time.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(option, KEPT_BYTES)
        mallopt(M_ARENA_MAX, 1)
