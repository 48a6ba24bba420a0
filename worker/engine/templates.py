"""A model's chat template is a program of a stranger: it runs in a sandbox, and not for ever.

transformers compiles templates in Jinja's immutable sandbox, without files, imports and
attributes that begin with an underscore. What a sandbox does not bound is done here: the time and
the memory a template takes, what it makes of a request, and that whatever it raises is an error
with words. What one operation may make is bounded in `template_bounds`.
"""

from __future__ import annotations

import ctypes
import threading
import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from transformers.utils import chat_template_utils

from worker.domain.errors import EngineFailed
from worker.engine.template_bounds import Bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_S = 5.0
"""A hundred times what a long conversation takes."""

_MOST_CHARACTERS = 1_000_000
_TIMES_THE_REQUEST = 8
"""A template writes what it is given once, the tools perhaps twice, and its own words."""

_GRACE_S = 0.02
"""Nearly all have done by then, and are not looked at."""

_LOOK_EVERY_S = 0.01
_MOST_BYTES = 256 * 1024 * 1024
"""More than Python keeps of the longest request there may be, many times over."""


class _StoppedTemplate(BaseException):
    """It has had enough; no `except Exception` of the template's surroundings stops it."""


# What transformers compiles templates in, looked up by name when it does. A test holds this.
chat_template_utils.ImmutableSandboxedEnvironment = Bounded


def render(template: Callable[[], str], *, given: Any) -> str:
    """Return what a template makes of a request.

    Args:
        template: Renders it.
        given: The messages and tools, as whose multiple the result is bounded.

    Raises:
        TemplateError: It does not want these messages, or does what no template may.
        EngineFailed: It takes too long, makes too much, or fails.

    """
    try:
        with _limits(LONGEST_S) as broken:
            text = template()
    except TemplateError:
        raise
    except MemoryError:
        # Not the template's fault alone: the engine is replaced, as wherever there is none left.
        raise
    except _StoppedTemplate:
        raise EngineFailed(f"the model's chat template takes {broken[0]}") from None
    except Exception as error:
        raise EngineFailed(
            f"the model's chat template fails: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    most = _MOST_CHARACTERS + _TIMES_THE_REQUEST * _characters(given)
    if len(text) > most:
        raise EngineFailed(
            f"the model's chat template makes {len(text)} characters of a request for which "
            f"{most} are enough"
        )
    return text


@contextmanager
def _limits(longest_s: float) -> Iterator[list[str]]:
    """Raise `_StoppedTemplate` in this thread when it has had enough, between two instructions.

    What it had enough of is put into the list that is yielded.
    """
    thread = ctypes.c_ulong(threading.get_ident())
    lock, done, broken = threading.Lock(), threading.Event(), list[str]()
    arrived = False

    def stop(why: str) -> None:
        with lock:
            if not done.is_set():
                broken.append(why)
                stopped = ctypes.py_object(_StoppedTemplate)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, stopped)

    watch = threading.Thread(
        target=_watch, args=(done, longest_s, stop), name="template", daemon=True
    )
    try:
        watch.start()
    except RuntimeError as error:
        raise MemoryError(str(error)) from error
    try:
        yield broken
    except _StoppedTemplate:
        arrived = True
        raise
    finally:
        with lock:
            done.set()
        # One that was sent in the last moment would strike somebody else. Taking it back, by
        # sending none, leaves CPython 3.11 looking for it at every instruction.
        while broken and not arrived:
            time.sleep(0)


def _watch(done: threading.Event, longest_s: float, stop: Callable[[str], None]) -> None:
    """Stop a template at its bounds.

    Memory is counted from when it is looked at for the first time on: what a template takes before
    that is bounded by what one operation may make. Only Python's own is counted, so nothing that
    the model takes meanwhile.
    """
    begun = time.monotonic()
    if done.wait(min(_GRACE_S, longest_s)):
        return
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        while not done.wait(_LOOK_EVERY_S):
            if time.monotonic() - begun > longest_s:
                stop(f"longer than {longest_s:g} s")
                return
            if tracemalloc.get_traced_memory()[0] - before > _MOST_BYTES:
                stop(f"more than {_MOST_BYTES >> 20} MiB of memory")
                return
    finally:
        if ours:
            tracemalloc.stop()


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_characters(key) + _characters(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return sum(_characters(item) for item in value)
    return 32
