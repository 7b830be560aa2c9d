"""What a long run keeps: memory that it freed, and oneDNN's kernels."""

from __future__ import annotations

import ctypes
import os
import platform

# mallopt's parameters, from <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask the allocator to keep what the process frees for its next request, for as long as it lives.

    glibc maps every large block anew and gives it back at once, so that a training step has the kernel clear
    the pages that the step before had just freed (``scripts/benchmark_training`` measures what that costs).
    Kept, they count as the process's memory until it ends.

    Returns
    -------
    bool
        Whether there was a glibc to ask; other systems' allocators are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    reuse, keep = mallopt(_M_MMAP_THRESHOLD, _LARGEST), mallopt(_M_TRIM_THRESHOLD, _LARGEST)
    return bool(reuse and keep)


def keep_kernels() -> None:
    """Ask oneDNN to keep the kernels that it writes for each shape of input; before the first convolution.

    A training step of an encoder takes some two hundred, for each length of crops others, and oneDNN keeps a
    thousand: it would write most of them anew in every step. ``ONEDNN_PRIMITIVE_CACHE_CAPACITY`` in the
    environment says otherwise.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
