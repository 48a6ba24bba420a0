"""What a file of KV caches begins with, and taking a client's away; imports no mlx and no numpy.

The daemon reads no more of them than this: it takes away what a client has left of a model that is
not in memory, whose engine can't be told.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUFFIX = ".kv"
PARTIAL = ".part"
"""Of a file that is being written, or was when its engine died."""

_MAGIC = b"thinkqKV1"
_LENGTH_BYTES = 4


class Header(Struct, frozen=True, kw_only=True):
    """What a file says of itself. `digest` is the payload's."""

    key: str
    name: str
    parent: str | None
    owner: str | None
    sessions: dict[str, int]
    begin: int
    tokens: bytes
    shapes: list[tuple[list[int], list[int]]]
    dtype: str
    digest: bytes
    size_bytes: int


def head_of(header: Header) -> bytes:
    """Return what a file begins with."""
    head = msgspec.msgpack.encode(header)
    length = len(head).to_bytes(_LENGTH_BYTES, "big")
    return _MAGIC + length + hashlib.sha256(head).digest() + head


def read_header(read: Callable[[int], bytes]) -> Header:
    """Read a file's beginning.

    Raises:
        ValueError: It is damaged, or no file of ours.
        msgspec.MsgspecError: It is of another version.

    """
    if read(len(_MAGIC)) != _MAGIC:
        raise ValueError("this is no cache")
    length = int.from_bytes(read(_LENGTH_BYTES), "big")
    digest = read(hashlib.sha256().digest_size)
    head = read(length)
    if hashlib.sha256(head).digest() != digest:
        raise ValueError("the header is damaged")
    return msgspec.msgpack.decode(head, type=Header)


def forget(folder: Path, owner: str, session: str | None = None) -> int:
    """Delete the files of a client, or those that a session of it has to do with.

    An engine that is at work on the folder finds some of its files gone, as it must expect.

    Args:
        folder: Holds a folder for each model; it need not exist.
        owner: The client.
        session: One of its sessions; all of them if None.

    Returns:
        How many there were.

    Raises:
        OSError: They can't be read or deleted.

    """
    found = [path for path in folder.glob("*/*") if _is_of(path, owner, session)]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _is_of(path: Path, owner: str, session: str | None) -> bool:
    if path.suffix not in {SUFFIX, PARTIAL}:
        return False
    try:
        with path.open("rb") as file:
            header = read_header(file.read)
    except FileNotFoundError:
        return False
    except (ValueError, msgspec.MsgspecError):
        # Nobody can say whose a damaged one is, and no engine will believe it.
        return path.suffix == SUFFIX
    return header.owner == owner and (session is None or session in header.sessions)
