"""An engine without a model, behind the same pipe: for tests and benches of everything around it.

It repeats the last user message, a word a token, in thinking mode after a thought of a few words.
A message that begins with `stub:` is an order to it: `stub: tokens=50 delay_ms=10`, or `stub: die`
(exits without a word), `stub: hang` (stops answering), `stub: fail`.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time

import msgspec

from worker.domain.messages import Kind, Mode
from worker.domain.model import ModelInfo
from worker.engine.pipe import (
    Cancel,
    Done,
    EngineOptions,
    Failed,
    Ready,
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
    def __init__(self, submit: Submit) -> None:
        self.submit = submit
        asked = str(submit.messages[-1].get("content") or "")
        orders = asked.removeprefix("stub:").split() if asked.startswith("stub:") else []
        self.flags = {order for order in orders if "=" not in order}
        numbers = dict(order.split("=", 1) for order in orders if "=" in order)
        self.delay_s = float(numbers.get("delay_ms", 0)) / 1000
        words = asked.split(" ")
        self.answer = [f"{word} " for word in words[:-1]] + [words[-1]]
        if "tokens" in numbers:
            self.answer = [f"w{number} " for number in range(int(numbers["tokens"]) - 1)] + ["end"]
        self.thought = list(_THOUGHT) if submit.mode is Mode.THINK else []
        if submit.budget_tokens is not None:
            self.thought = self.thought[: submit.budget_tokens]
        self.done = len(submit.generated)
        limit = submit.sampling.max_tokens
        self.length = len(self.thought) + len(self.answer)
        self.finish = "stop"
        if limit is not None and limit < self.length:
            self.length, self.finish = limit, "length"

    def step(self) -> tuple[list[RowEvent], list[int]]:
        if "die" in self.flags:
            os._exit(1)
        if "hang" in self.flags:
            time.sleep(3600)
        if "fail" in self.flags:
            return [Failed(self.submit.row, "engine_failed", "the stub was told to fail")], []
        if self.delay_s:
            time.sleep(self.delay_s)
        row, index = self.submit.row, self.done
        events: list[RowEvent] = []
        if index == 0:
            events.append(State(row, "thinking" if self.thought else "answering"))
        thought = index < len(self.thought)
        if index == len(self.thought) and self.thought:
            events.append(State(row, "answering"))
        if index < self.length:
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
                "prompt_tokens": sum(
                    len(str(message.get("content")).split()) for message in self.submit.messages
                ),
                "reasoning_tokens": min(self.done, len(self.thought)),
                "completion_tokens": self.done,
            },
            Done,
        )


def main(arguments: list[str]) -> int:
    """Serve the pipe whose descriptor and options are the arguments, until it ends."""
    connection = socket.socket(fileno=int(arguments[0]))
    options = msgspec.json.decode(arguments[1], type=EngineOptions)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    inbox: queue.SimpleQueue[Submit | Cancel] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    info = ModelInfo(
        name="stub",
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
    connection.sendall(frame(Ready(info, 0.0)))
    rows: dict[int, _Row] = {}
    while True:
        while not rows or not inbox.empty():
            message = inbox.get()
            if isinstance(message, Submit):
                rows[message.row] = _Row(message)
            elif row := rows.pop(message.row, None):
                connection.sendall(frame(Step(events=[row.ended(message.reason)])))
        events: list[RowEvent] = []
        tokens: list[tuple[int, list[int]]] = []
        for name, row in list(rows.items()):
            said, produced = row.step()
            events += said
            tokens.append((name, produced))
            if isinstance(said[-1], Done | Failed):
                del rows[name]
        connection.sendall(frame(Step(events=events, tokens=tokens, decode_rows=len(tokens))))


def _read(connection: socket.socket, inbox: queue.SimpleQueue[Submit | Cancel]) -> None:
    while (body := read_frame(connection)) is not None:
        message = decode_to_engine(body)
        if isinstance(message, Shutdown):
            break
        inbox.put(message)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
