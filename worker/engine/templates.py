"""A model's chat template is a program of a stranger: it runs in a sandbox, and not for ever.

transformers compiles templates in Jinja's immutable sandbox, without files, imports and
attributes that begin with an underscore. What a sandbox does not bound is done here: the time a
template takes, what it makes of a request, and that whatever it raises is an error with words.
"""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jinja2.sandbox
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from transformers.utils import chat_template_utils

from worker.domain.errors import EngineFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_S = 5.0
"""A hundred times what a long conversation takes."""

_MOST_CHARACTERS = 1_000_000
_TIMES_THE_REQUEST = 8
"""A template writes what it is given once, the tools perhaps twice, and its own words."""

_MOST_REPEATED = 1_000_000
_HIGHEST_POWER = 64


class _Overtime(BaseException):
    """The time is over; no `except Exception` of the template's surroundings stops it."""


class _Bounded(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The sandbox, without operators that make much of little."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and not (isinstance(right, int) and abs(right) <= _HIGHEST_POWER):
            raise SecurityError(f"a power of more than {_HIGHEST_POWER}")
        if operator == "*":
            for repeated, times in ((left, right), (right, left)):
                if (
                    isinstance(times, int)
                    and hasattr(repeated, "__len__")
                    and len(repeated) * times > _MOST_REPEATED
                ):
                    raise SecurityError(f"a text or list of more than {_MOST_REPEATED} parts")
        return super().call_binop(context, operator, left, right)


# What transformers compiles templates in, looked up by name when it does. A test holds this.
chat_template_utils.ImmutableSandboxedEnvironment = _Bounded


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
        with _time_limit(LONGEST_S):
            text = template()
    except TemplateError:
        raise
    except MemoryError:
        # Not the template's fault alone: the engine is replaced, as wherever there is none left.
        raise
    except _Overtime:
        raise EngineFailed(f"the model's chat template takes longer than {LONGEST_S:g} s") from None
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
def _time_limit(longest_s: float) -> Iterator[None]:
    """Raise `_Overtime` in this thread when the time is over, between two of its instructions."""
    thread = ctypes.c_ulong(threading.get_ident())
    lock, over, sent, arrived = threading.Lock(), False, False, False

    def stop() -> None:
        nonlocal sent
        with lock:
            if not over:
                sent = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_Overtime))

    timer = threading.Timer(longest_s, stop)
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError as error:
        raise MemoryError(str(error)) from error
    try:
        yield
    except _Overtime:
        arrived = True
        raise
    finally:
        with lock:
            over = True
        timer.cancel()
        # One that was sent in the last moment would strike somebody else. Taking it back, by
        # sending none, leaves CPython 3.11 looking for it at every instruction.
        while sent and not arrived:
            time.sleep(0)


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_characters(key) + _characters(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return sum(_characters(item) for item in value)
    return 32
