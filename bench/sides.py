"""thinkq and mlx_lm.server, spoken to alike: a stream goes in, tokens and times come out.

Both are up at once and are measured in turn. The client costs as little as it can: it shares two
cores with what it measures.
"""

from __future__ import annotations

import itertools
import json
import queue
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from http_peer import HttpPeer
from pairs import daemon_with, embedded_path, mosquitto
from rig import Wire, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rig import Daemon

GREEDY = {"temperature": 0.0}
QWEN = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.0}
STORY = "Tell me a long story about {} cats and a lighthouse. {}"
"""With a number of its own each time, so that no cache has read it."""
VOICE = {"prompt": "Turn on the kitchen light.", "max_tokens": 20, **GREEDY}
STREAM_S = 600


class Side(Protocol):
    """Whoever is measured."""

    def stream(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """Return how many tokens came back, and when each piece of text did, in seconds."""

    def urgent(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """Stream in the lane for those who wait."""

    def patient(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """Stream in the lane for work that may wait."""


class Ours:
    """thinkq, spoken to over MQTT; each stream is heard in a queue of its own.

    Args:
        port: The broker's.
        root: The topics'.
        name: The client's.

    """

    def __init__(self, port: int, root: str, name: str = "me") -> None:
        self._wire = Wire(port, root, name)
        self._reply_topic = self._wire.reply_topic
        self._heard: dict[str, queue.SimpleQueue[tuple[float, str, bytes]]] = {}
        self._numbers = itertools.count()
        self._prefix = uuid.uuid4().hex[:8]
        self._sending = threading.Lock()
        self._wire.client.on_message = self._hear
        self._wire.listen(f"{self._reply_topic}/#")

    def _hear(self, _client: object, _userdata: object, message: Any) -> None:
        now = time.perf_counter()
        _, _, rest = message.topic.partition(self._reply_topic)
        if rest:
            _, name, kind = rest.split("/")
        else:
            name, kind = json.loads(message.payload)["id"], "final"
        if name in self._heard:
            self._heard[name].put((now, kind, message.payload))

    def send(self, request: dict[str, Any]) -> str:
        """Publish a request and return its id; `heard` and `final` say what comes back."""
        name = f"{self._prefix}-{next(self._numbers)}"
        self._heard[name] = queue.SimpleQueue()
        with self._sending:
            self._wire.send({"id": name, "mode": "no_think", **request})
        return name

    def heard(self, name: str, timeout_s: float = STREAM_S) -> tuple[float, str, bytes]:
        """Return the next thing heard of a request: when, of which kind, and its payload."""
        return self._heard[name].get(timeout=timeout_s)

    def final(self, name: str) -> dict[str, Any]:
        """Wait for a request's final reply and return it."""
        while True:
            _, kind, payload = self.heard(name)
            if kind == "final":
                del self._heard[name]
                return dict(json.loads(payload))

    def control(self, **fields: Any) -> None:
        """Send a control message."""
        self._wire.send(fields, topic=f"{self._wire.root}/control/{self._wire.name}")

    def ask(self, request: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Return how long a request took, and its final reply."""
        begun = time.perf_counter()
        reply = self.final(self.send(request))
        return time.perf_counter() - begun, reply

    def timed(self, request: dict[str, Any]) -> tuple[list[float], float, dict[str, Any]]:
        """Stream; return when each piece of the answer came, when the reply did, and the reply."""
        begun = time.perf_counter()
        name = self.send({"stream": True, **request})
        pieces: list[float] = []
        while True:
            now, kind, payload = self.heard(name)
            if kind == "answer":
                pieces.append(now - begun)
            elif kind == "final":
                del self._heard[name]
                return pieces, now - begun, json.loads(payload)

    def stream(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """See `Side`."""
        pieces, _, reply = self.timed(request)
        return reply["usage"]["completion_tokens"], pieces

    def urgent(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """See `Side`."""
        return self.stream({"lane": "interactive", **request})

    def patient(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """See `Side`."""
        return self.stream({"lane": "batch", **request})

    def close(self) -> None:
        """Go."""
        self._wire.close()


class Theirs:
    """mlx_lm.server, which has no lanes."""

    def __init__(self, peer: HttpPeer) -> None:
        self.stream = self.urgent = self.patient = peer.stream


@contextmanager
def thinkq(
    engine: str = "max_rows = 16", *, model: str = "embedded"
) -> Iterator[tuple[Ours, Daemon]]:
    """Run thinkq behind a broker of its own, with these lines in `[engine]`."""
    with mosquitto() as (broker, folder), daemon_with(broker, folder, engine, model=model) as wire:
        side = Ours(broker.port, wire.root)
        try:
            yield side, wire.daemon
        finally:
            side.close()


@contextmanager
def mlx_lm_server() -> Iterator[Theirs]:
    """Run mlx_lm.server on the same weights and BLAS."""
    peer = HttpPeer(embedded_path(), free_port())
    try:
        yield Theirs(peer)
    finally:
        peer.stop()


@contextmanager
def both(engine: str = "max_rows = 16") -> Iterator[tuple[Ours, Theirs]]:
    """Run thinkq and mlx_lm.server side by side."""
    with thinkq(engine) as (ours, _), mlx_lm_server() as theirs:
        yield ours, theirs


@contextmanager
def busy(side: Side, count: int, tokens: int, *, settle_s: float = 4.0) -> Iterator[list[str]]:
    """Keep a side busy with so many long requests; yield a list that collects what failed."""
    failed: list[str] = []

    def one(number: int) -> None:
        prompt = STORY.format(number, uuid.uuid4())
        try:
            side.patient({"prompt": prompt, "max_tokens": tokens, **GREEDY})
        except OSError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    if threads:
        time.sleep(settle_s)
    yield failed
    for thread in threads:
        thread.join()


def stories(count: int) -> list[str]:
    """Return so many prompts that nobody has been asked."""
    return [STORY.format(number, uuid.uuid4()) for number in range(count)]


def throughput(side: Side, prompts: list[str], tokens: int, sampling: dict[str, float]) -> float:
    """Return tokens a second of a client for each prompt, from first request to last reply."""
    requests = [{"prompt": prompt, "max_tokens": tokens, **sampling} for prompt in prompts]
    with ThreadPoolExecutor(len(prompts)) as pool:
        begun = time.perf_counter()
        produced = sum(pool.map(partial(tokens_of, side), requests))
        return produced / (time.perf_counter() - begun)


def tokens_of(side: Side, request: dict[str, Any]) -> int:
    """Return how many tokens came back; a connection that is reset is made again.

    mlx_lm.server resets those beyond the five that its listening socket keeps.
    """
    while True:
        try:
            return side.stream(request)[0]
        except ConnectionError:
            time.sleep(0.05)
