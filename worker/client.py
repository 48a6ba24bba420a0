"""A Python client of the wire contract; knows nothing of the daemon but what any client may.

    with Client("localhost") as client:
        print(client.ask("What is 17 times 23?", mode="think").content)
        for event in client.stream("Tell me a story."):
            ...

Imports paho, msgspec and the domain's values. Threads may share one client.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias

import msgspec
import structlog
from msgspec import UNSET
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from worker.domain.messages import Encoding, Kind, Progress, Reply, StreamPart
from worker.domain.policy import LEVEL_SEPARATOR, check_name, check_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from paho.mqtt.reasoncodes import ReasonCode

_log = structlog.get_logger(__name__)

Prompt: TypeAlias = "str | Sequence[dict[str, Any]]"
"""A text, or messages as in OpenAI's chat completions."""

Event: TypeAlias = StreamPart | Progress | Reply

_NO_MATCHING_SUBSCRIBERS = 0x10
_CONNECT_TIMEOUT_S = 10.0


class ClientError(Exception):
    """What a client can meet with; each of its children is one case."""


class NotConnected(ClientError, ConnectionError):
    """The broker can't be reached, or does not let this client in."""

    was_silent = False
    """Whether it hung up without saying why."""


class NoWorker(ClientError):
    """The broker has nobody to give the request to."""


class RequestRefused(ClientError, PermissionError):
    """The broker does not let this client send requests under its name."""


class ReplyTimeout(ClientError, TimeoutError):
    """No final reply came in time; the request may still be answered."""


class ReplyError(ClientError):
    """The final reply is an error; `code` is the contract's.

    Args:
        reply: The final reply, whose `error` is set.

    """

    def __init__(self, reply: Reply) -> None:
        assert reply.error is not UNSET
        super().__init__(f"{reply.error.code}: {reply.error.message}")
        self.reply = reply
        self.code = reply.error.code
        self.message = reply.error.message
        self.field = reply.error.field
        self.retry_after_ms = reply.error.retry_after_ms


class SupportsContext(Protocol):
    """TLS settings that can make a context, as `worker.transport.options.TlsOptions` can."""

    def context(self) -> ssl.SSLContext:
        """Return the context to connect with."""
        ...


class Client:
    """A client of the workers behind one broker; use it as a context manager.

    Args:
        host: The broker's.
        port: The broker's.
        username: What the broker knows us by.
        password: What it believes us for.
        tls: A context or TLS settings; None is plain TCP.
        root: The topics' root.
        name: The client's name in the topics; where the broker checks, it is the username.

    Raises:
        NotConnected: On entering, when the broker can't be reached or refuses us.

    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 1883,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | SupportsContext | None = None,
        root: str = "thinkq",
        name: str = "me",
    ) -> None:
        self._address = (host, port)
        self._root = check_root(root, "root")
        self._name = check_name(name, "name")
        # A reply topic of its own for each client object, so that two of one name don't mix.
        self._reply_topic = _join(self._root, "reply", self._name, uuid.uuid4().hex[:12])
        self._streams: dict[str, queue.SimpleQueue[Event]] = {}
        self._workers: dict[str, dict[str, Any]] = {}
        self._worker_heard = threading.Condition()
        self._subscribed = threading.Event()
        self._refused: ReasonCode | None = None
        self._hung_up = False
        self._published: dict[int, ReasonCode] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if username is not None:
            self._client.username_pw_set(username, password)
        if tls is not None:
            context = tls if isinstance(tls, ssl.SSLContext) else tls.context()
            self._client.tls_set_context(context)
        self._client.on_socket_open = _send_without_delay
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        host, port = self._address
        try:
            self._client.connect(host, port)
        except OSError as error:
            raise NotConnected(f"{host}:{port}: {error}") from error
        self._client.loop_start()
        answered = self._subscribed.wait(_CONNECT_TIMEOUT_S)
        if not answered or self._hung_up or self._refused is not None:
            self.close()
            silence = "the broker hung up without an answer" if self._hung_up else "no answer"
            refusal = NotConnected(f"{host}:{port}: {self._refused or silence}")
            refusal.was_silent = self._hung_up
            raise refusal
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def ask(self, prompt: Prompt, *, timeout_s: float = 300.0, **fields: Any) -> Reply:
        """Send a request and return its final reply.

        Args:
            prompt: A text or messages.
            timeout_s: How long to wait for the final reply.
            fields: The contract's fields by their names: `mode`, `session`, `lane`, ….

        Raises:
            ReplyError: The reply is an error.
            ReplyTimeout: There was none in time.
            NoWorker: Nobody is there to answer.
            RequestRefused: The broker forbids it.

        """
        events = self._exchange(prompt, {**fields, "stream": False}, timeout_s)
        reply = next(event for event in events if isinstance(event, Reply))
        if reply.status == "error":
            raise ReplyError(reply)
        return reply

    def stream(
        self, prompt: Prompt, *, timeout_s: float = 300.0, **fields: Any
    ) -> Iterator[StreamPart | Progress | Reply]:
        """Yield a request's parts in order as they come, and at last its final reply.

        The request is sent with the first step of the iteration.

        The texts of a kind joined are that part of the final reply, even when the broker lost
        some on the way. An error is a final reply too: its `error` says which.

        Raises:
            ReplyTimeout: The final reply did not come in time.
            NoWorker: Nobody is there to answer.
            RequestRefused: The broker forbids it.

        """
        return _in_order(self._exchange(prompt, {**fields, "stream": True}, timeout_s))

    def cancel(self, request_id: str) -> None:
        """Ask for a request to be stopped; its final reply says how far it came."""
        topic = _join(self._root, "control", self._name)
        self._publish(topic, {"op": "cancel", "id": request_id}, request_id)

    def feedback(
        self, request_id: str, verdict: Literal["good", "should_have_thought", "need_not_have"]
    ) -> None:
        """Say of an answer whether its mode was right: an example for `thinkq router tune`."""
        topic = _join(self._root, "control", self._name)
        said = {"op": "feedback", "id": request_id, "verdict": verdict}
        self._publish(topic, said, uuid.uuid4().hex)

    def prewarm(self, prompt: Prompt | None = None, **fields: Any) -> None:
        """Have the worker read what a request will begin with, while it has time.

        The request then waits only for what comes after it. A later call takes an earlier one's
        place. Nothing is answered.

        Args:
            prompt: What is known so far, such as the words heard until now, or messages; None for
                a session's history alone.
            fields: `session`, `tools`, `context`.

        """
        what = {} if prompt is None else _worded(prompt)
        topic = _join(self._root, "control", self._name)
        self._publish(topic, {"op": "prewarm", **what, **fields}, uuid.uuid4().hex)

    def worker_status(self, *, timeout_s: float = 2.0) -> dict[str, dict[str, Any]]:
        """Return what each worker last said of itself, by its name.

        Waits at most `timeout_s` for the first to be heard; empty where there is none.
        """
        with self._worker_heard:
            self._worker_heard.wait_for(lambda: bool(self._workers), timeout_s)
            return dict(self._workers)

    def wait_for_worker(self, timeout_s: float = 60.0) -> None:
        """Wait until a worker takes requests and its model is loaded.

        Raises:
            NoWorker: None did in time.

        """
        with self._worker_heard:
            if not self._worker_heard.wait_for(self._is_any_ready, timeout_s):
                raise NoWorker(f"no worker was ready in {timeout_s:g} s")

    def _is_any_ready(self) -> bool:
        return any(
            status.get("status") == "online" and status.get("model")
            for status in self._workers.values()
        )

    def _exchange(
        self, prompt: Prompt, fields: dict[str, Any], timeout_s: float
    ) -> Iterator[StreamPart | Progress | Reply]:
        deadline = time.monotonic() + timeout_s
        request_id = fields.get("id") or uuid.uuid4().hex
        body = {**_worded(prompt), **fields, "id": request_id}
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._streams[request_id] = events
        try:
            topic = _join(self._root, "request", self._name)
            self._publish(topic, body, request_id, deadline=deadline)
            while True:
                event = events.get(timeout=max(0.0, deadline - time.monotonic()))
                yield event
                if isinstance(event, Reply):
                    return
        except queue.Empty:
            raise ReplyTimeout(f"no final reply to {request_id} in {timeout_s:g} s") from None
        finally:
            del self._streams[request_id]

    def _publish(
        self, topic: str, body: dict[str, Any], request_id: str, *, deadline: float | None = None
    ) -> None:
        """Publish and wait for the PUBACK, which tells whether anybody is there."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = Encoding.JSON.value
        properties.ResponseTopic = self._reply_topic
        properties.CorrelationData = request_id.encode()
        info = self._client.publish(topic, msgspec.json.encode(body), 1, properties=properties)
        left_s = _CONNECT_TIMEOUT_S if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            info.wait_for_publish(left_s)
        except RuntimeError as error:
            raise NotConnected(str(error)) from error
        reason = self._published.pop(info.mid, None)
        if reason is None:
            raise ReplyTimeout(f"the broker did not take {request_id} in {left_s:g} s")
        if reason.value == _NO_MATCHING_SUBSCRIBERS:
            raise NoWorker(f"no worker listens on {topic}")
        if reason.is_failure:
            raise RequestRefused(f"{topic}: {reason}")

    # What paho's thread calls.

    def _on_connect(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refused = reason
            self._subscribed.set()
            return
        self._refused = None
        client.subscribe(
            [
                (_join(self._reply_topic, "#"), 1),
                (_join(self._root, "worker", "+", "status"), 1),
            ]
        )

    def _on_disconnect(self, *_told: object) -> None:
        if not self._subscribed.is_set():
            self._hung_up = True
            self._subscribed.set()

    def _on_publish(
        self,
        _client: mqtt.Client,
        _userdata: object,
        packet_id: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._published[packet_id] = reason

    def _on_message(
        self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage
    ) -> None:
        try:
            self._take(message.topic, message.payload)
        except (msgspec.MsgspecError, ValueError) as error:
            # An exception would end paho's thread, and with it all later replies.
            _log.warning("message_not_understood", topic=message.topic, error=str(error))

    def _take(self, topic: str, payload: bytes | bytearray) -> None:
        if topic == self._reply_topic:
            reply = msgspec.json.decode(payload, type=Reply)
            self._deliver(reply.id, reply)
        elif topic.startswith(_join(self._reply_topic, "")):
            request_id, kind = topic.split(LEVEL_SEPARATOR)[-2:]
            self._deliver(request_id, _stream_event(Kind(kind), payload))
        else:
            status = msgspec.json.decode(payload, type=dict[str, Any])
            with self._worker_heard:
                self._workers[topic.split(LEVEL_SEPARATOR)[-2]] = status
                self._worker_heard.notify_all()

    def _deliver(self, request_id: str, event: Event) -> None:
        events = self._streams.get(request_id)
        if events is not None:
            events.put(event)


class _Part(msgspec.Struct):
    """A stream message as it is on the wire; its kind is in the topic."""

    id: str
    seq: int
    text: str


def _worded(prompt: Prompt) -> dict[str, Any]:
    return {"prompt": prompt} if isinstance(prompt, str) else {"messages": list(prompt)}


def _stream_event(kind: Kind, payload: bytes | bytearray) -> StreamPart | Progress:
    if kind is Kind.PROGRESS:
        return msgspec.json.decode(payload, type=Progress)
    part = msgspec.json.decode(payload, type=_Part)
    return StreamPart(part.id, kind, part.seq, part.text)


def _in_order(events: Iterator[Event]) -> Iterator[StreamPart | Progress | Reply]:
    """Put parts in the order of their `seq`; what was lost is taken from the final reply."""
    told: dict[Kind, str] = {}
    expected: dict[Kind, int] = {}
    early: dict[tuple[Kind, int], StreamPart] = {}
    for event in events:
        if isinstance(event, StreamPart):
            early[event.kind, event.seq] = event
            while part := early.pop((event.kind, expected.get(event.kind, 0)), None):
                expected[part.kind] = part.seq + 1
                told[part.kind] = told.get(part.kind, "") + part.text
                yield part
            continue
        if isinstance(event, Reply):
            whole = {Kind.REASONING: event.reasoning, Kind.ANSWER: event.content}
            for kind, text in whole.items():
                sent = told.get(kind, "")
                if text is not UNSET and text.startswith(sent) and len(text) > len(sent):
                    yield StreamPart(event.id, kind, expected.get(kind, 0), text[len(sent) :])
        yield event


def _send_without_delay(_client: mqtt.Client, _userdata: object, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _join(*levels: str) -> str:
    return LEVEL_SEPARATOR.join(levels)
