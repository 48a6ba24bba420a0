"""Which network connections a running daemon has: from the kernel on Linux, from lsof on macOS.

Its processes are the daemon and all that it started. What they speak among themselves over
unnamed sockets is no connection and is not listed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.doctor.finding import Finding, ok, warning
from worker.journal.storage import FILE_NAME, holder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.settings import Settings

_PROC = Path("/proc")
_LSOF_S = 10.0


class Peer(Struct, frozen=True, order=True):
    """An end of a connection."""

    host: str
    port: int


def connections(settings: Settings) -> Iterator[Finding]:
    """Tell whom the running daemon is connected to; nothing where none runs."""
    pid = holder(settings.data_dir / FILE_NAME)
    if pid is None:
        return
    try:
        found = peers(pid)
    except OSError as error:
        yield warning("connections", f"can't be seen: {error}", "run doctor as the daemon's user")
        return
    broker = _addresses(settings.broker.host, settings.broker.port)
    others = [peer for peer in found if peer not in broker]
    if settings.broker.embedded != "off":
        # A broker of its own has the clients' connections.
        yield ok("connections", f"{len(found)}, with a broker of its own")
    elif others:
        listed = ", ".join(f"{peer.host}:{peer.port}" for peer in others)
        yield warning("connections", f"not only the broker's: {listed}", "find out what they are")
    else:
        yield ok("connections", f"only the broker's ({len(found)})")


def peers(pid: int) -> list[Peer]:
    """Return the other ends of all TCP and UDP connections of a process and its children.

    Raises:
        OSError: They can't be seen.

    """
    if sys.platform == "darwin":
        ends = of_lsof(_lsof(pid))
        own = {local for local, _ in ends}
    else:
        ends, own = _of_proc(pid)
    # What paho wakes its thread with is a connection of the process to itself.
    return sorted(remote for _, remote in ends if remote not in own)


def _of_proc(pid: int) -> tuple[list[tuple[Peer, Peer]], set[Peer]]:
    """Return both ends of its connections, and every end that is its own."""
    before = _sockets(pid)
    rows: list[tuple[int, list[str]]] = []
    for table, family in (("tcp", 4), ("tcp6", 6), ("udp", 4), ("udp6", 6)):
        path = _PROC / str(pid) / "net" / table
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        rows += [(family, line.split()) for line in lines]
    after = _sockets(pid)
    known = before | after
    found = [
        (fields[9], _peer(fields[1], family), _peer(fields[2], family))
        for family, fields in rows
        if fields[9] in known
    ]
    # A connection to itself may be half made: one end waits where it listens, or was taken up
    # since. Or it ends while the table is read, which has one of its ends then and not the other.
    own = {local for _, local, _ in found}
    ends = [
        (local, remote)
        for inode, local, remote in found
        # What only listens, or a UDP socket that was only bound, has no other end.
        if inode in before and remote.port and (inode in after or remote.host != local.host)
    ]
    return ends, own


def _sockets(pid: int) -> set[str]:
    """Return the inodes of the sockets of a process and its children."""
    return {
        link.removeprefix("socket:[").removesuffix("]")
        for one in _family(pid)
        for link in _open_files(one)
        if link.startswith("socket:[")
    }


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in (_PROC / str(one) / "task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def _open_files(pid: int) -> Iterator[str]:
    for entry in (_PROC / str(pid) / "fd").iterdir():
        try:
            yield str(entry.readlink())
        except FileNotFoundError:
            continue  # closed since it was listed


def _peer(written: str, family: int) -> Peer:
    """Read an address as the kernel writes it: words of four bytes in its own byte order."""
    address, port = written.split(":")
    packed = b"".join(
        bytes.fromhex(address[at : at + 8])[:: -1 if sys.byteorder == "little" else 1]
        for at in range(0, len(address), 8)
    )
    kind = socket.AF_INET if family == 4 else socket.AF_INET6  # noqa: PLR2004 - IP's version
    host = socket.inet_ntop(kind, packed).removeprefix("::ffff:")
    return Peer(host, int(port, 16))


def _lsof(pid: int) -> str:
    children = subprocess.run(  # noqa: S603 - the system's own
        ["/usr/bin/pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    done = subprocess.run(  # noqa: S603 - the system's own
        ["/usr/sbin/lsof", "-nP", "-i", "-a", "-p", ",".join([str(pid), *children]), "-F", "n"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_LSOF_S,
    )
    return done.stdout


def of_lsof(said: str) -> list[tuple[Peer, Peer]]:
    """Return both ends from what `lsof -F n` prints: `nLOCAL->REMOTE` for each connection."""
    found = []
    for line in said.splitlines():
        if line.startswith("n") and "->" in line:
            local, _, remote = line[1:].partition("->")
            found.append((_written(local), _written(remote)))
    return found


def _written(end: str) -> Peer:
    host, _, port = end.rpartition(":")
    return Peer(host.strip("[]"), int(port))


def _addresses(host: str, port: int) -> set[Peer]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {Peer(str(address[0]), port) for *_, address in found}
