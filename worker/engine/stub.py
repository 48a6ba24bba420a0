"""An engine without a model, behind the same pipe: for tests and benches of everything around it.

It repeats the last user message, a word a token, in thinking mode after a thought of a few words.
A line of it that begins with `stub:` is an order to it, some of: `tokens=50` (so many words),
`delay_ms=10` (between two of them), `prefill_ms=200` (before the first), `call` (calls the first
tool declared, with `door=shed` as its argument where that is given), `unsure` (thinks after all,
where it may), `waver` (answers otherwise when it thinks), `bulky` (finds no memory beside another
row), `fail` or `fail=bad_schema` (with that code), `die` (exits without a word) or `die=9` (at that
token), `hang`.
Where its model has a path, that is a file with orders for the start: `load_ms=500`, `fail` (says
that it can't be loaded) or `die`, read at each.
Its speeds are measured where it was told to take its time, and unknown otherwise.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from worker.domain.messages import Kind, Mode
from worker.domain.model import ModelInfo
from worker.engine.outbox import Outbox
from worker.engine.pipe import (
    Ahead,
    Cancel,
    Conclude,
    Done,
    EngineOptions,
    Escalated,
    Failed,
    Fatal,
    Forget,
    NoRoom,
    Park,
    Ready,
    Resume,
    RowEvent,
    Shutdown,
    State,
    Step,
    Submit,
    Text,
    decode_to_engine,
    frame,
    read_frame,
)

_THOUGHT = ("Let ", "me ", "see.")


class _Row:
    def __init__(self, submit: Submit, context_tokens: int) -> None:
        self.submit = submit
        asked = str(submit.messages[-1].get("content") or "")
        lines = (line for line in asked.splitlines() if line.startswith("stub:"))
        orders = next(lines, "stub:").removeprefix("stub:").split()
        self.orders = dict((order + "=").split("=")[:2] for order in orders)
        self.delay_s = self._number("delay_ms") / 1000
        self.prompt_tokens = sum(
            len(str(message.get("content")).split()) for message in submit.messages
        )
        context_tokens = min(context_tokens, submit.context_tokens or context_tokens)
        self.context_tokens = context_tokens
        self.too_long = self.prompt_tokens > context_tokens and (
            f"expected at most {context_tokens} tokens, got {self.prompt_tokens}"
        )
        self.thought = list(_THOUGHT) if submit.mode is Mode.THINK else []
        if submit.budget_tokens is not None:
            self.thought = self.thought[: submit.budget_tokens]
        self.answer = self._answer(asked)
        self.done = len(submit.generated)
        self.finish = "stop"
        self.length = len(self.thought) + len(self.answer)
        limit = submit.sampling.max_tokens
        if limit is not None and limit < self.length:
            self.length, self.finish = limit, "length"
        in_time = submit.deadline_tokens
        if in_time is not None and in_time < self.length:
            self.length, self.finish = in_time, "deadline"
        self.calls: list[dict[str, Any]] = []

    def prefill(self) -> Step:
        """Take the time it was told to read its prompt in."""
        began = time.monotonic()
        time.sleep(self._number("prefill_ms") / 1000)
        return Step(
            events=[State(self.submit.row, "prefill")],
            prefill_tokens=self.prompt_tokens if "prefill_ms" in self.orders else 0,
            prefill_s=time.monotonic() - began,
        )

    def step(self) -> tuple[list[RowEvent], list[int]]:
        if failed := self._failure():
            return [failed], []
        if "unsure" in self.orders and self.submit.doubt is not None:
            self.submit = replace(self.submit, mode=Mode.THINK, doubt=None)
            self.thought = list(_THOUGHT)
            self.length += len(self.thought)
            return [Escalated(self.submit.row, "The stub was told to be unsure.")], [0]
        time.sleep(self.delay_s)
        row, index = self.submit.row, self.done
        events: list[RowEvent] = []
        if index == 0:
            events.append(State(row, "thinking" if self.thought else "answering"))
        thought = index < len(self.thought)
        if index == len(self.thought) and self.thought:
            events.append(State(row, "answering"))
        if "call" in self.orders and not thought:
            events.append(self._call())
            self.done = self.length
        elif index < self.length:
            word = self.thought[index] if thought else self.answer[index - len(self.thought)]
            events.append(Text(row, Kind.REASONING if thought else Kind.ANSWER, word))
        self.done += 1
        if self.done >= self.length:
            events.append(self.ended())
        return events, [index]

    def ended(self, reason: str | None = None) -> Done:
        return msgspec.convert(
            {
                "type": "Done",
                "row": self.submit.row,
                "finish_reason": reason or self.finish,
                "prompt_tokens": self.prompt_tokens,
                "reasoning_tokens": min(self.done, len(self.thought)),
                "completion_tokens": self.done,
                "tool_calls": self.calls,
            },
            Done,
        )

    def conclude(self) -> None:
        """Think no further."""
        cut = max(0, len(self.thought) - max(1, self.done))
        self.thought = self.thought[: len(self.thought) - cut]
        self.length = max(self.length - cut, self.done + 1)

    def _number(self, order: str) -> float:
        return float(self.orders.get(order) or 0)

    def _answer(self, asked: str) -> list[str]:
        if "tokens" in self.orders:
            return [f"w{number} " for number in range(int(self._number("tokens")) - 1)] + ["end"]
        if "waver" in self.orders and self.submit.mode is Mode.THINK:
            return ["something ", "else"]
        *words, last = asked.split(" ")
        return [*(f"{word} " for word in words), last]

    def _failure(self) -> Failed | None:
        if "die" in self.orders and self.done >= self._number("die"):
            os._exit(1)
        if "hang" in self.orders:
            time.sleep(3600)
        if self.too_long:
            tokens, limit = self.prompt_tokens, self.context_tokens
            code = "context_too_long"
            return Failed(self.submit.row, code, self.too_long, tokens=tokens, limit=limit)
        if "fail" in self.orders:
            code = self.orders["fail"] or "engine_failed"
            return Failed(self.submit.row, code, "the stub was told to fail")
        return None

    def _arguments(self) -> str:
        given = {"door": self.orders["door"]} if "door" in self.orders else {}
        return msgspec.json.encode(given).decode()

    def _call(self) -> Text:
        name = self.submit.tools[0]["function"]["name"]
        call = {
            "id": f"call_{self.submit.row}",
            "type": "function",
            "function": {"name": name, "arguments": self._arguments()},
        }
        self.calls.append(call)
        self.finish = "tool_calls"
        return Text(self.submit.row, Kind.TOOL, msgspec.json.encode(call).decode())


def main(arguments: list[str]) -> int:
    """Serve the pipe whose descriptor and options are the arguments, until it ends."""
    connection = socket.socket(fileno=int(arguments[0]))
    options = msgspec.json.decode(arguments[1], type=EngineOptions)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    began = time.monotonic()
    inbox: queue.SimpleQueue[Submit | Cancel | Conclude | Park | Resume] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    _load(options.model_path, connection)
    info = ModelInfo(
        name=options.model_name,
        thinking="native",
        context_tokens=options.context_tokens or 32768,
        parameters=0,
        weights_bytes=0,
        kv_bytes_per_token=0,
        quantization="none",
        fingerprint="stub",
        default_budget_tokens=len(_THOUGHT),
        max_rows=options.rows,
        blas="none",
    )
    connection.sendall(frame(Ready(info, time.monotonic() - began)))
    with suppress(BrokenPipeError, ConnectionResetError):
        _run(connection, inbox, info.context_tokens)
    # The daemon is gone, and nobody needs to hear of that.
    return 0


def _run(
    connection: socket.socket,
    inbox: queue.SimpleQueue[Submit | Cancel | Conclude | Park | Resume],
    context_tokens: int,
) -> None:
    rows: dict[int, _Row] = {}
    parked: dict[int, _Row] = {}
    outbox = Outbox(lambda step: connection.sendall(frame(step)))
    while True:
        while not rows or not inbox.empty():
            step = _deal_with(inbox.get(), rows, parked, context_tokens)
            if step is not None:
                outbox.put(step)
            outbox.flush()
        outbox.put(_step(rows))


def _load(path: str, connection: socket.socket) -> None:
    """Do what the file of orders says about loading."""
    words = Path(path).read_text(encoding="utf-8").split() if path else []
    orders = dict((word + "=").split("=")[:2] for word in words)
    time.sleep(float(orders.get("load_ms") or 0) / 1000)
    if "die" in orders:
        os._exit(1)
    if "fail" in orders:
        connection.sendall(frame(Fatal("engine_failed", "the stub was told to fail")))
        os._exit(1)


def _deal_with(
    message: Submit | Cancel | Conclude | Park | Resume,
    rows: dict[int, _Row],
    parked: dict[int, _Row],
    context_tokens: int,
) -> Step | None:
    if isinstance(message, Submit):
        if rows and "bulky" in str(message.messages[-1].get("content")):
            return Step(events=[NoRoom(message.row)])
        rows[message.row] = _Row(message, context_tokens)
        return rows[message.row].prefill()
    if isinstance(message, Resume | Conclude):
        _change(message, rows, parked)
        return None
    if isinstance(message, Park):
        aside = [name for name in message.rows if name in rows]
        parked.update((name, rows.pop(name)) for name in aside)
        return Step(events=[State(name, "parked") for name in aside])
    row = rows.pop(message.row, None) or parked.pop(message.row, None)
    if row is None:
        return None
    return Step(events=[row.ended(message.reason)])


def _change(message: Resume | Conclude, rows: dict[int, _Row], parked: dict[int, _Row]) -> None:
    if isinstance(message, Conclude):
        row = rows.get(message.row) or parked.get(message.row)
        if row is not None:
            row.conclude()
    elif message.row in parked:
        rows[message.row] = parked.pop(message.row)


def _step(rows: dict[int, _Row]) -> Step:
    events: list[RowEvent] = []
    tokens: list[tuple[int, list[int]]] = []
    began = time.monotonic()
    slow = any(row.delay_s for row in rows.values())
    for name, row in list(rows.items()):
        said, produced = row.step()
        events += said
        tokens.append((name, produced))
        if isinstance(said[-1], Done | Failed):
            del rows[name]
    decode_s = time.monotonic() - began if slow else 0.0
    return Step(events=events, tokens=tokens, decode_rows=len(tokens), decode_s=decode_s)


def _read(
    connection: socket.socket,
    inbox: queue.SimpleQueue[Submit | Cancel | Conclude | Park | Resume],
) -> None:
    with suppress(ConnectionResetError):
        while (body := read_frame(connection)) is not None:
            message = decode_to_engine(body)
            if isinstance(message, Shutdown):
                break
            if not isinstance(message, Forget | Ahead):
                inbox.put(message)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
