"""How much memory the machine has, and has left, from plain calls of the system; imports no mlx."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def total_bytes() -> int:
    """Return the machine's memory, or what this process's container may have of it."""
    if sys.platform == "darwin":
        return _sysctl(b"hw.memsize") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = _cgroup("memory.max")
    return physical if allowed is None else min(physical, allowed)


def available_bytes() -> int | None:
    """Return what could be used without anything being swapped out; None where nobody says.

    A few microseconds on Linux (a file in memory), one call on macOS.
    """
    if sys.platform == "darwin":
        # Percent of memory that is free or can be had (memory_pressure(1) prints the same).
        percent = _sysctl(b"kern.memorystatus_level")
        return None if percent is None else total_bytes() * percent // 100
    available = _meminfo("MemAvailable")
    allowed, used = _cgroup("memory.max"), _cgroup("memory.current")
    if allowed is not None and used is not None:
        left = max(0, allowed - used)
        available = left if available is None else min(available, left)
    return available


def _meminfo(name: str) -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup(name: str) -> int | None:
    """Return a number of this process's control group (version 2), None where it has none."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="ascii").rpartition("::/")[2].strip()
        text = (_CGROUP / own / name).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _sysctl(name: bytes) -> int | None:
    libc = ctypes.CDLL(None, use_errno=True)
    value, size = ctypes.c_uint64(0), ctypes.c_size_t(8)
    if libc.sysctlbyname(name, ctypes.byref(value), ctypes.byref(size), None, 0) != 0:
        return None
    # Values of four bytes leave the upper half alone (sysctl(3)), and every Mac is little-endian.
    return value.value
