"""The memory of this machine, or of the container that this process runs in."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ('MEMORY_SHARE', 'find_memory_bytes')

MEMORY_SHARE = 0.1
"""The share of the memory that a prefix cache may take: of an accelerator's free memory, or of all of the machine."""

LIMITS = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')
"""The limits of a container. https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files"""

UNKNOWN = 8 * 2**30
"""The memory of a machine that does not report it, such as one with Windows, in bytes."""


def find_memory_bytes() -> int:
    """Return the size of the memory that this process may use, in bytes."""
    sizes: list[int] = []
    with suppress(AttributeError, OSError, ValueError):
        sizes.append(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))
    for limit in LIMITS:
        with suppress(OSError, ValueError):  # without a limit, the file has the word "max"
            sizes.append(int(Path(limit).read_text(encoding='ascii')))
    return min((size for size in sizes if size > 0), default=UNKNOWN)
