"""An asyncio face on paho: connected for ever, everything of ours on the event loop.

paho's network thread only turns packets into values and puts them in a queue; the loop is woken
once for each burst. Requests are acknowledged by hand, when they are on disk. What is published
at QoS 1 is kept until its PUBACK, through as many reconnects as it takes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct
from msgspec.structs import replace
from paho.mqtt import client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from worker.transport.faults import Fault, of_attempt, of_silence
from worker.transport.paho_client import (
    AckToken,
    connect_properties,
    make_client,
    send_without_delay,
    server_limits,
    set_will,
    to_incoming,
)
from worker.transport.publishing import Publishing
from worker.transport.retry import hint, retry_delay_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from worker.transport.options import BrokerOptions
    from worker.transport.packets import Incoming, Outgoing, ServerLimits

_log = structlog.get_logger(__name__)

_STABLE_AFTER_S = 60.0
"""A connection that lasted this long was a good one: the next retry is quick again. Two clients
of one id, each throwing out the other, never get there, as each waits less than this."""

_RETAIN_NOT_SUPPORTED = 0x9A
_QOS_NOT_SUPPORTED = 0x9B
_SHARED = "$share/"
_RETAINED_NEVER = 2


class State(Struct, frozen=True, kw_only=True):
    """Whether requests can reach us, and if not, why."""

    connected: bool
    reason: str = ""
    session_present: bool = False


class Connection:
    """One client's connection to a broker. Create and use it on the event loop.

    Args:
        options: Where the broker is and how to get in.
        subscriptions: Topic filters, subscribed at QoS 1 on every connect. On MQTT 5 retained
            messages are not asked for: an old request must not come back with each reconnect.
        retained: Topic filters of which the retained messages are wanted too, on each connect.
        on_message: Called on the loop for each message. Whoever takes one calls `ack`.
        on_state: Called on the loop when requests can reach us, and when they no longer can.
        birth: Asked on every connect for what to publish first.
        will: What the broker publishes for us when we vanish.

    Raises:
        OSError: A TLS file can't be read.

    """

    def __init__(
        self,
        options: BrokerOptions,
        *,
        subscriptions: Sequence[str],
        retained: Sequence[str] = (),
        on_message: Callable[[Incoming], None],
        on_state: Callable[[State], None] | None = None,
        birth: Callable[[], Sequence[Outgoing]] = tuple,
        will: Outgoing | None = None,
    ) -> None:
        self._options = options
        self._is_v5 = options.protocol == "5"
        self._subscriptions = (*subscriptions, *retained)
        self._retained = frozenset(retained)
        self._on_message = on_message
        self._on_state = on_state
        self._birth = birth
        self._will = will
        self._client = make_client(options, will)
        self._client.on_socket_open = send_without_delay
        self._client.on_pre_connect = self._network_connecting
        self._client.on_connect = self._network_connected
        self._client.on_connect_fail = self._network_connect_failed
        self._client.on_disconnect = self._network_disconnected
        self._client.on_subscribe = self._network_subscribed
        self._client.on_unsubscribe = self._network_unsubscribed
        self._client.on_message = self._network_received
        self._client.on_publish = self._network_published
        # Between the network thread, which appends, and the loop, which drains.
        self._events: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._wake_pending = False
        # The loop's.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._publishing = Publishing(self._client, with_properties=self._is_v5)
        self._ready = asyncio.Event()
        self._unsubscribed = asyncio.Event()
        self._live = False
        self._stopping = False
        self._reported = ""
        self._lacking: list[str] = []
        # The network thread's; the loop reads the first.
        self._connection = 0
        self._session_present = False
        self._asked: Sequence[str] = self._subscriptions
        self._refusal: ReasonCode | None = None
        self._connected_since: float | None = None
        self._failures = 0

    @property
    def connected(self) -> bool:
        """Whether requests can reach us now."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Begin to connect and return at once; a broker that is away is waited for.

        Raises:
            ValueError: The host or the port can't be one.

        """
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(
            self._options.host,
            self._options.port,
            keepalive=self._options.keepalive_s,
            clean_start=self._options.session_expiry_s == 0
            if self._is_v5
            else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=connect_properties(self._options) if self._is_v5 else None,
        )
        self._client.loop_start()

    async def wait_connected(self) -> None:
        """Return when we are connected and subscribed."""
        await self._ready.wait()

    def ack(self, incoming: Incoming) -> None:
        """Acknowledge a message: the broker may forget it.

        A message that came by an earlier connection is left alone. Its packet identifier may
        mean another one by now, and the broker delivers it again anyway.
        """
        token = incoming.token
        if isinstance(token, AckToken) and token.qos and token.connection == self._connection:
            self._client.ack(token.packet_id, token.qos)

    def is_ours(self, incoming: Incoming) -> bool:
        """Tell whether a message can still be acknowledged: if not, the broker sends it again."""
        token = incoming.token
        return isinstance(token, AckToken) and token.connection == self._connection

    def publish(self, outgoing: Outgoing) -> asyncio.Future[None]:
        """Publish and return what resolves when it is safe to forget the message.

        At QoS 1 that is its PUBACK; until then it is sent again after each reconnect. At QoS 0
        it is at once: without a connection, or behind a broker that doesn't read, it is dropped.
        The future raises `PublishFailed` when the broker refuses the message or we stop before.
        """
        return self._publishing.publish(outgoing)

    async def unsubscribe(self, topic_filters: Sequence[str], *, timeout_s: float) -> None:
        """Stop asking for some topics, after reconnects too; return when the broker knows.

        What the broker had sent before arrives before this returns.
        """
        self._subscriptions = tuple(one for one in self._subscriptions if one not in topic_filters)
        if not self._live:
            return
        self._unsubscribed.clear()
        self._client.unsubscribe(list(topic_filters))
        try:
            await asyncio.wait_for(self._unsubscribed.wait(), timeout_s)
        except TimeoutError:
            _log.warning("not_unsubscribed", topic_filters=list(topic_filters))

    async def stop(self, final: Sequence[Outgoing] = (), *, timeout_s: float = 5.0) -> None:
        """Publish the last words, wait for what is unacknowledged, and disconnect.

        Without a connection nothing is waited for. What is still unacknowledged afterwards
        fails with `PublishFailed`.
        """
        last_words = [self.publish(outgoing) for outgoing in final]
        if self._live:
            try:
                await asyncio.wait_for(self._publishing.idle.wait(), timeout_s)
            except TimeoutError:
                _log.warning("stopped_before_acknowledged", messages=len(self._publishing))
        self._stopping = True
        self._ready.clear()
        self._client.disconnect()
        # paho's thread stays for as long as it holds unacknowledged messages.
        self._client.drop_out_messages()
        await asyncio.to_thread(self._client.loop_stop)
        self._publishing.close()
        await asyncio.gather(*last_words, return_exceptions=True)

    # What runs on the loop.

    def _connected(self, limits: ServerLimits, returned: Sequence[int]) -> None:
        self._live = True
        lacking = _lacking(limits)
        if lacking and lacking != self._lacking:
            _log.error("broker_limits", lacking=lacking)
        self._lacking = lacking
        self._publishing.connected(limits, returned)

    def _subscribed(self, refused: Sequence[str], session_present: bool) -> None:  # noqa: FBT001 - posted, not called by people
        for topic_filter in refused:
            _log.error("subscription_refused", topic_filter=topic_filter)
        _log.info(
            "broker_connected",
            host=self._options.host,
            port=self._options.port,
            session_present=session_present,
        )
        self._reported = ""
        for outgoing in self._birth():
            self._publishing.publish(outgoing)
        self._ready.set()
        if self._on_state is not None:
            self._on_state(State(connected=True, session_present=session_present))

    def _away(self, reason: str, advice: str | None) -> None:
        """Take note of a lost or failed connection; a reason is told once, then only to debug."""
        was_ready = self._ready.is_set()
        self._live = False
        self._ready.clear()
        self._publishing.disconnected()
        if self._stopping:
            return
        log = _log.debug if reason == self._reported else _log.warning
        self._reported = reason
        log(
            "broker_away",
            host=self._options.host,
            port=self._options.port,
            reason=reason,
            **({} if advice is None else {"hint": advice}),
        )
        if was_ready and self._on_state is not None:
            self._on_state(State(connected=False, reason=reason))

    def _drain_events(self) -> None:
        self._wake_pending = False
        while self._events:
            call, arguments = self._events.popleft()
            try:
                call(*arguments)
            except Exception:  # noqa: BLE001 - a bug in one message's way leaves the others theirs
                _log.exception("event_failed", event_of=getattr(call, "__name__", repr(call)))

    # What runs on paho's thread: it turns packets into values and posts them.

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        self._events.append((call, arguments))
        if self._wake_pending or self._loop is None or self._loop.is_closed():
            return
        self._wake_pending = True
        self._loop.call_soon_threadsafe(self._drain_events)

    def _network_connecting(self, client: mqtt.Client, _userdata: object) -> None:
        """Take the password as it is now: it may have been changed while we were away."""
        if self._options.username is None or self._options.ask_password is None:
            return
        try:
            client.username_pw_set(self._options.username, self._options.ask_password())
        except Exception as error:  # noqa: BLE001 - whatever keeps it, the former one is tried
            self._post(partial(_log.error, "password_not_read", why=str(error)))

    def _network_connected(
        self,
        client: mqtt.Client,
        _userdata: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = reason  # on_disconnect follows and knows less
            self._lessen_will(reason.value)
            return
        self._connection += 1
        self._session_present = flags.session_present
        self._connected_since = time.monotonic()
        limits = server_limits(properties, self._options.max_in_flight)
        returned: list[int] = []
        if self._publishing.in_flight > limits.window:
            # paho is about to send them all again, more than this broker takes at once.
            returned = [message.mid for message in client.drop_out_messages()]
        self._subscribe(client, limits)
        # Not before: the loop would publish at once, and an answer could overtake the SUBACK.
        self._post(self._connected, limits, returned)

    def _subscribe(self, client: mqtt.Client, limits: ServerLimits) -> None:
        # A broker without shared subscriptions ends the connection of who asks for one.
        self._asked = [
            one
            for one in self._subscriptions
            if limits.shared_subscriptions or not one.startswith(_SHARED)
        ]
        if self._is_v5:
            never = SubscribeOptions(qos=1, retainHandling=_RETAINED_NEVER)
            wanted = SubscribeOptions(qos=1)
            client.subscribe(
                [(one, wanted if one in self._retained else never) for one in self._asked]
            )
        else:
            client.subscribe([(one, 1) for one in self._asked])

    def _lessen_will(self, reason_code: int) -> None:
        """Ask the broker for no more than it can do: it refuses a connection for its will."""
        if self._will is None:
            return
        if reason_code == _RETAIN_NOT_SUPPORTED:
            self._will = replace(self._will, retain=False)
        elif reason_code == _QOS_NOT_SUPPORTED:
            self._will = replace(self._will, qos=0)
        else:
            return
        set_will(self._client, self._will, with_properties=self._is_v5)

    def _network_subscribed(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _packet_id: int,
        reasons: Sequence[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        answers = zip(self._asked, reasons, strict=False)
        refused = [topic_filter for topic_filter, reason in answers if reason.is_failure]
        self._post(self._subscribed, refused, self._session_present)

    def _network_unsubscribed(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _packet_id: int,
        _reasons: Sequence[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._post(self._unsubscribed.set)

    def _network_connect_failed(self, _client: mqtt.Client, _userdata: object) -> None:
        fault = of_attempt(sys.exception(), encrypted=self._options.tls is not None)
        self._lost(fault, 0)

    def _network_disconnected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        refusal, self._refusal = self._refusal, None
        broken_by = self._client.take_broken_by()
        reason = refusal or reason
        if refusal is None and self._connected_since is None:
            fault = of_silence(broken_by, encrypted=self._options.tls is not None)
        else:
            fault = Fault(reason.getName())
        self._lost(fault, reason.value)

    def _lost(self, fault: Fault, reason_code: int) -> None:
        since, self._connected_since = self._connected_since, None
        if since is not None and time.monotonic() - since >= _STABLE_AFTER_S:
            self._failures = 0
        advice = hint(reason_code, self._failures if since is not None else 0)
        delay_s = retry_delay_s(self._failures, reason_code)
        self._failures += 1
        self._client.reconnect_delay_set(delay_s, delay_s)  # type: ignore[arg-type]  # it only adds and sleeps
        self._post(self._away, fault.reason, advice or fault.advice)

    def _network_received(
        self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage
    ) -> None:
        self._post(self._on_message, to_incoming(message, self._connection))

    def _network_published(
        self,
        _client: mqtt.Client,
        _userdata: object,
        packet_id: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        failure = reason.getName() if reason.is_failure else None
        self._post(self._publishing.acknowledged, packet_id, failure)


def _lacking(limits: ServerLimits) -> list[str]:
    """Say in words which promises can't be kept with a broker of such limits."""
    words = []
    if limits.qos == 0:
        words.append("QoS 1: requests and replies may be lost on their way")
    if not limits.retain:
        words.append("retained messages: who comes later does not hear of the worker's status")
    if not limits.shared_subscriptions:
        words.append("shared subscriptions: unset topics.group, or this worker gets no requests")
    return words
