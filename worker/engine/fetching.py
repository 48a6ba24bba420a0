"""Fetching a model from a hub: whole, verified and pinned, or not at all; imports no mlx.

Files come one by one through huggingface_hub's `http_get`, which can go on in the middle of a file
after an interruption; its higher calls begin each file anew (its pull request 4228).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from worker.engine.hub import PARTIAL, model_folder, partial_folder
from worker.engine.pins import (
    ModelChanged,
    ModelMissing,
    read_pins,
    refuse_unsafe,
    write_pins,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from huggingface_hub.hf_api import RepoSibling

    Progress = Callable[[str, int, int], None]

_WANTED = re.compile(
    r"model[\w.-]*\.safetensors|(?:config|generation_config|tokenizer|tokenizer_config|vocab"
    r"|special_tokens_map|added_tokens|model\.safetensors\.index)\.json"
    r"|merges\.txt|tokenizer\.model|[\w.-]+\.tiktoken|chat_template\.(?:jinja|json)",
    re.ASCII,
)


class _Source(Struct, frozen=True):
    """A model at a hub, at one commit."""

    name: str
    commit: str
    endpoint: str | None
    files: list[RepoSibling]

    @property
    def bytes(self) -> int:
        return sum(file.size or 0 for file in self.files)


def pull(
    name: str,
    data_dir: Path,
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    progress: Progress = lambda _file, _done, _total: None,
) -> Path:
    """Fetch a model from the hub and pin it; goes on where an interrupted fetch ended.

    Args:
        name: `owner/name`.
        data_dir: Where it is kept.
        revision: A branch, tag or commit; default: the main branch. Its commit is pinned.
        endpoint: The hub's address; default: what huggingface_hub is set to.
        progress: Told the file at hand, the bytes that are there of all files, and their sum.

    Raises:
        ModelMissing: The hub has no such model or revision, or can't be reached.
        ModelChanged: What came is not what the hub's hashes promise.
        ModelRefused: The model is not safetensors only, or brings code.

    """
    folder = model_folder(name, data_dir)
    partial = partial_folder(folder)
    source = _look_up(name, revision, endpoint)
    pins = read_pins(folder)
    if pins is not None and pins.revision == source.commit:
        return folder
    _keep_only_parts_of(partial, source.commit)
    there = 0
    for file in source.files:
        _fetch(source, file, partial, _Meter(progress, file.rfilename, there, source.bytes))
        there += file.size or 0
    refuse_unsafe(partial)
    write_pins(partial, origin=name, revision=source.commit)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _keep_only_parts_of(partial: Path, commit: str) -> None:
    marker = partial / ".commit"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != commit:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        marker.write_text(commit, encoding="utf-8")


def _look_up(name: str, revision: str | None, endpoint: str | None) -> _Source:
    """Ask the hub which commit a revision stands for, and for the files of it that are wanted."""
    # Late: it takes a third of a second, and an offline start needs nothing of it.
    from huggingface_hub import HfApi  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    try:
        info = HfApi(endpoint=endpoint).model_info(name, revision=revision, files_metadata=True)
    except HfHubHTTPError as error:
        raise ModelMissing(f"the hub does not give {name}: {_first_line(error)}") from error
    except _network_errors() as error:
        raise ModelMissing(f"the hub can't be reached for {name}: {_first_line(error)}") from error
    files = [file for file in info.siblings or () if _WANTED.fullmatch(file.rfilename)]
    if info.sha is None or not any(file.rfilename.endswith(".safetensors") for file in files):
        raise ModelMissing(f"{name} has no safetensors at the hub")
    return _Source(name, info.sha, endpoint, files)


def _fetch(source: _Source, file: RepoSibling, folder: Path, meter: _Meter) -> None:
    """Bring one file whole and verified to its place, from where it was left."""
    from huggingface_hub import hf_hub_url  # noqa: PLC0415 - see _look_up
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils._headers import build_hf_headers  # noqa: PLC0415

    target = folder / file.rfilename
    if target.is_file():
        return
    unfinished = target.with_name(target.name + PARTIAL)
    unfinished.touch()
    try:
        with unfinished.open("r+b") as output:
            http_get(
                hf_hub_url(
                    source.name, file.rfilename, revision=source.commit, endpoint=source.endpoint
                ),
                output,
                resume_size=output.seek(0, 2),
                headers=build_hf_headers(),
                expected_size=file.size,
                tqdm_class=meter.bar(),
            )
    except _network_errors() as error:
        raise ModelMissing(
            f"{file.rfilename} did not come whole: {_first_line(error)}; "
            "the same command goes on where it ended"
        ) from error
    if not _is_what_the_hub_has(unfinished, file):
        unfinished.unlink()
        raise ModelChanged(f"{file.rfilename} is not what the hub's hash promises; try again")
    unfinished.rename(target)


def _network_errors() -> tuple[type[Exception], ...]:
    """Return what huggingface_hub raises, and lets through of the HTTP library it uses."""
    import httpx2  # noqa: PLC0415 - see _look_up

    return (OSError, httpx2.HTTPError)


def _is_what_the_hub_has(path: Path, pinned: RepoSibling) -> bool:
    with path.open("rb") as file:
        if pinned.lfs is not None:
            return hashlib.file_digest(file, "sha256").hexdigest() == pinned.lfs.sha256
        # What is not in large file storage is known by git's own hash of it.
        header = f"blob {path.stat().st_size}\0".encode()
        digest = hashlib.sha1(header + file.read(), usedforsecurity=False).hexdigest()
    return pinned.blob_id in (None, digest)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


class _Meter:
    """Tells a progress callback of one file, through the bar that `http_get` believes to draw."""

    def __init__(self, progress: Progress, name: str, before: int, total: int) -> None:
        self._progress = progress
        self._name = name
        self._before = before
        self._total = total

    def bar(self) -> Any:
        """Return a class for the parameter `tqdm_class`."""
        from huggingface_hub.utils.tqdm import tqdm  # noqa: PLC0415 - see _look_up

        meter = self

        class Bar(tqdm):
            def __init__(self, *_arguments: Any, initial: int = 0, **_options: Any) -> None:
                super().__init__(initial=initial, disable=True)  # type: ignore[no-untyped-call]
                self._there = initial

            def update(self, n: float | None = 1) -> bool | None:
                self._there += int(n or 0)
                meter.advance(self._there)
                return None

        return Bar

    def advance(self, there: int) -> None:
        """Note how many bytes of the file are there."""
        self._progress(self._name, self._before + there, self._total)
