"""KV caches on disk, so that a conversation goes on after a restart without being read again.

A file holds one stretch of a prompt: what it is, and the keys and values of each layer. Its name
says nothing, its folder is the user's alone. A file is believed only if it was written for this
very model, template, quantization and version, and both its hashes fit; else it is deleted. They
are written by a thread of their own, and read by whoever prepares a request: never by the engine's
thread. Knows nothing of mlx: what comes in and goes out are numpy's arrays.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct

from worker.engine.cache_files import PARTIAL, SUFFIX, Header, head_of, read_header
from worker.engine.forest import EVERYBODY, Entry, Forest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from worker.engine.forest import Part

    Arrays: TypeAlias = list[tuple[np.ndarray, np.ndarray]]
    """Keys and values of each layer, of shape (1, heads, tokens, width)."""

SHORTEST_TOKENS = 32
"""What is shorter is read again as fast as it is fetched."""

_MOST_PENDING_BYTES = 1 << 30


class File:
    """An entry's file; until it is written, nothing can be read of it."""

    def __init__(self, name: str, *, written: bool) -> None:
        self.name = name
        self.written = written
        self.gone = False


class Loaded(Struct):
    """What was found of a prompt: its first tokens, and their keys and values."""

    tokens: list[int]
    layers: list[tuple[Any, Any]]
    dtype: str


class Disk:
    """The files of one model.

    Args:
        folder: Where they are; it is made if need be.
        key: What they must have been written for.
        max_bytes: How much they may take.
        keep_s: After how many seconds without use a file is deleted.

    """

    def __init__(self, folder: Path, key: str, *, max_bytes: int, keep_s: float) -> None:
        self._folder = folder
        self._key = key
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._forest: Forest[File] = Forest(shortest=SHORTEST_TOKENS, pinned_stay=False)
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[Entry[File], Header, list[np.ndarray]]] = (
            queue.SimpleQueue()
        )
        self._pending_bytes = 0
        self._written = threading.Condition(self._lock)
        self.trouble = ""
        """Why the last file could not be written."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._find_files()
        threading.Thread(target=self._write_all, name="caches", daemon=True).start()

    @property
    def bytes(self) -> int:
        """What the files take."""
        return self._forest.size_bytes

    def keep(
        self,
        owner: str | None,
        tokens: Sequence[int],
        session: str,
        dtype: str,
        arrays_of: Callable[[int], Arrays],
    ) -> None:
        """Write what is not on disk yet of a prompt, later.

        Args:
            owner: The client whose prompt it is; `EVERYBODY`: it is pinned.
            tokens: The prompt.
            session: The client's session that it is of.
            dtype: What the arrays' values are, where numpy has no name for it.
            arrays_of: Returns the arrays from a position on; they are the writer's from then on.

        """
        with self._lock:
            parts = self._forest.longest(owner, tokens)
            begin = parts[-1].end if parts else 0
            for entry, end in parts:
                entry.extents[session] = max(end, entry.extents.get(session, 0))
                self._forest.touch(entry)
            if len(tokens) - begin < SHORTEST_TOKENS or self._pending_bytes > _MOST_PENDING_BYTES:
                return
        layers = arrays_of(begin)
        payload = [array for layer in layers for array in layer]
        size_bytes = sum(array.nbytes for array in payload)
        entry = self._entry(owner, tokens, session, parts, size_bytes)
        header = Header(
            key=self._key,
            name=entry.payload.name,
            parent=entry.parent.payload.name if entry.parent else None,
            owner=owner,
            sessions=dict(entry.extents),
            begin=begin,
            tokens=entry.tokens.tobytes(),
            shapes=[(list(keys.shape), list(values.shape)) for keys, values in layers],
            dtype=dtype,
            digest=b"",
            size_bytes=size_bytes,
        )
        with self._lock:
            parent = entry.parent
            if size_bytes > self._max_bytes or (parent is not None and parent.payload.gone):
                return
            if parent is not None:
                parent.holds += 1
            self._let_go(self._forest.evict(self._max_bytes - size_bytes))
            if parent is not None:
                parent.holds -= 1
            if self._forest.size_bytes + size_bytes > self._max_bytes:
                return
            self._forest.add(entry)
            self._pending_bytes += size_bytes
        self._waiting.put((entry, header, payload))

    def load(self, owner: str | None, tokens: Sequence[int], known: int) -> Loaded | None:
        """Return what is on disk of a prompt, None where not much more than is `known`."""
        with self._lock:
            parts = self._forest.longest(owner, tokens)
            while parts and not parts[-1].entry.payload.written:
                parts.pop()
            if not parts or parts[-1].end < known + SHORTEST_TOKENS:
                return None
            if owner is not EVERYBODY and parts[-1].entry.owner is EVERYBODY:
                # It counts only as long as it is pinned, and then it is in memory by itself.
                return None
            self._forest.touch(parts[-1].entry)
        found: list[Arrays] = []
        dtype = ""
        for part in parts:
            try:
                header, layers = self._read(part)
            except (OSError, ValueError, msgspec.MsgspecError):
                with self._lock:
                    if not part.entry.payload.gone:
                        self._let_go(self._forest.remove(part.entry))
                return None
            found.append(layers)
            dtype = header.dtype
        joined = [
            (_joined([keys for keys, _ in pairs]), _joined([values for _, values in pairs]))
            for pairs in zip(*found, strict=True)
        ]
        return Loaded(list(tokens[: parts[-1].end]), joined, dtype)

    def forget(self, owner: str, session: str | None = None) -> None:
        """Delete what a client, or one of its sessions, has left."""
        with self._lock:
            self._let_go(self._forest.forget(owner, session))

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written; False if it takes longer."""
        with self._written:
            return self._written.wait_for(lambda: self._pending_bytes == 0, timeout_s)

    # Files ---------------------------------------------------------------------------------

    def _find_files(self) -> None:
        oldest = time.time() - self._keep_s
        found: list[tuple[float, Header]] = []
        for path in self._folder.iterdir():
            try:
                used = path.stat().st_mtime
                with path.open("rb") as file:
                    header = read_header(file.read)
                whole = path.name == f"{header.name}{SUFFIX}"
            except (OSError, ValueError, msgspec.MsgspecError):
                whole = False
            if whole and header.key == self._key and used >= oldest:
                found.append((used, header))
            else:
                path.unlink(missing_ok=True)
        self._hang_up(sorted(found, key=lambda one: one[0]))
        self._let_go(self._forest.evict(self._max_bytes))

    def _hang_up(self, found: list[tuple[float, Header]]) -> None:
        """Hang each file's entry on its parent's; what has lost its parent is deleted."""
        entries: dict[str | None, Entry[File] | None] = {None: None}
        left = [header for _, header in found]
        while ready := [header for header in left if header.parent in entries]:
            for header in ready:
                entry = Entry(
                    header.owner,
                    np.frombuffer(header.tokens, dtype=np.int32),
                    header.begin,
                    entries[header.parent],
                    payload=File(header.name, written=True),
                    size_bytes=header.size_bytes,
                )
                entry.extents.update(header.sessions)
                entries[header.name] = entry
                self._forest.add(entry)
            left = [header for header in left if header.name not in entries]
        for header in left:
            self._path(header.name).unlink(missing_ok=True)
        for number, (_, header) in enumerate(found):
            entry_of = entries.get(header.name)
            if entry_of is not None:
                # In the order in which they were used; those to come count on from here.
                entry_of.used = number - len(found)

    def _entry(
        self,
        owner: str | None,
        tokens: Sequence[int],
        session: str,
        parts: list[Part[File]],
        size_bytes: int,
    ) -> Entry[File]:
        begin = parts[-1].end if parts else 0
        entry: Entry[File] = Entry(
            owner,
            np.array(tokens[begin:], dtype=np.int32),
            begin,
            parts[-1].entry if parts else None,
            payload=File(uuid.uuid4().hex, written=False),
            size_bytes=size_bytes,
        )
        entry.extents[session] = len(tokens)
        return entry

    def _read(self, part: Part[File]) -> tuple[Header, Arrays]:
        path = self._path(part.entry.payload.name)
        with path.open("rb") as file:
            header = read_header(file.read)
            payload = file.read()
        if hashlib.sha256(payload).digest() != header.digest:
            raise ValueError(f"{path.name} is damaged")
        os.utime(path)
        count = part.end - header.begin
        kind = np.dtype(header.dtype if header.dtype != "bfloat16" else np.uint16)
        layers, at = [], 0
        for shapes in header.shapes:
            pair = []
            for shape in shapes:
                size = int(np.prod(shape))
                array = np.frombuffer(payload, kind, size, at).reshape(shape)
                at += size * kind.itemsize
                pair.append(array[:, :, :count])
            layers.append((pair[0], pair[1]))
        return header, layers

    def _write_all(self) -> None:
        while True:
            entry, header, payload = self._waiting.get()
            trouble = ""
            try:
                self._write(entry, header, payload)
            except OSError as error:
                trouble = str(error)
            with self._written:
                self.trouble = trouble
                self._pending_bytes -= entry.size_bytes
                if trouble and not entry.payload.gone:
                    self._let_go(self._forest.remove(entry))
                self._written.notify_all()

    def _write(self, entry: Entry[File], header: Header, payload: list[np.ndarray]) -> None:
        digest = hashlib.sha256()
        for array in payload:
            digest.update(array.data)
        head = head_of(msgspec.structs.replace(header, digest=digest.digest()))
        path = self._path(entry.payload.name)
        partial = path.with_suffix(PARTIAL)
        partial.touch(mode=0o600)
        with partial.open("wb") as file:
            file.write(head)
            for array in payload:
                file.write(array.data)
        with self._lock:
            if entry.payload.gone:
                partial.unlink()
                return
            partial.rename(path)
            entry.payload.written = True

    def _let_go(self, entries: list[Entry[File]]) -> None:
        for entry in entries:
            entry.payload.gone = True
            self._path(entry.payload.name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=2)
