"""Every topic's name, made and read; no other module knows how they look."""

from __future__ import annotations

from worker.domain.errors import BadRequest
from worker.domain.messages import Kind, Lane
from worker.domain.policy import LEVEL_SEPARATOR, check_name, check_root

_LANES = ", ".join(Lane)


class Topics:
    """The names below one root, for one worker.

    Args:
        root: What stands before all of them, one level or several: `thinkq`, `home/thinkq`.
        worker: This worker's name.
        group: The shared subscription that several workers divide the requests in, or None.

    Raises:
        BadRequest: One of them can't be part of a topic.

    """

    def __init__(self, root: str, worker: str, group: str | None = None) -> None:
        self.root = check_root(root, "topics.root")
        self.worker = check_name(worker, "worker.id")
        self.group = None if group is None else check_name(group, "topics.group")

    def request_filters(self) -> tuple[str, ...]:
        """Return what to subscribe to for requests, without and with a lane."""
        share = () if self.group is None else ("$share", self.group)
        return (
            _join(*share, self.root, "request", "+"),
            _join(*share, self.root, "request", "+", "+"),
        )

    def fleet_filters(self) -> tuple[str, ...]:
        """Return what the workers of a group subscribe to, to know of each other; none alone.

        What is retained there is wanted: who holds what, and who is there.
        """
        if self.group is None:
            return ()
        return (
            self._fleet("claim", "#"),
            _join(self.root, "worker", "+", "status"),
            _join(self.root, "worker", "+", "metrics"),
        )

    def handed_on_filters(self) -> tuple[str, ...]:
        """Return what a worker of a group subscribes to for requests handed on to it."""
        if self.group is None:
            return ()
        to_us = self._fleet("to", self.worker)
        return (_join(to_us, "+"), _join(to_us, "+", "+"), self.echo())

    def claim(self, name: tuple[str, ...]) -> str:
        """Return where it is retained who holds a request or a session."""
        return self._fleet("claim", *name)

    def claimed(self, topic: str) -> tuple[str, ...] | None:
        """Return what a claim is on; None if the topic is none of a claim."""
        if self.group is None or not topic.startswith(before := self._fleet("claim", "")):
            return None
        return tuple(topic.removeprefix(before).split(LEVEL_SEPARATOR))

    def status_of(self, topic: str) -> str | None:
        """Return whose status a topic is, None if it is nobody's."""
        return self._worker_of(topic, "status")

    def metrics_of(self, topic: str) -> str | None:
        """Return whose metrics a topic has, None if it is nobody's."""
        return self._worker_of(topic, "metrics")

    def echo(self) -> str:
        """Return where a worker of a group sends messages to itself."""
        return self._fleet("echo", self.worker)

    def handed_on(self, worker: str, client: str, lane: Lane | None) -> str:
        """Return where a client's request is handed on to another worker."""
        return self._fleet("to", worker, client, *(() if lane is None else (lane.value,)))

    def as_requested(self, topic: str) -> str | None:
        """Return the request topic that something handed on to us came by; None if it was not."""
        if self.group is None or not topic.startswith(before := self._fleet("to", self.worker, "")):
            return None
        return _join(self.root, "request", topic.removeprefix(before))

    def _fleet(self, *levels: str) -> str:
        return _join(self.root, "fleet", self.group or "", *levels)

    def _worker_of(self, topic: str, what: str) -> str | None:
        before, after = _join(self.root, "worker", ""), f"{LEVEL_SEPARATOR}{what}"
        if not (topic.startswith(before) and topic.endswith(after)):
            return None
        return topic.removeprefix(before).removesuffix(after)

    def control_filter(self) -> str:
        """Return what to subscribe to for control; never shared, as any worker may be meant."""
        return _join(self.root, "control", "+")

    def is_control(self, topic: str) -> bool:
        """Say whether a message on `topic` is a control message."""
        return topic.startswith(_join(self.root, "control", ""))

    def client(self, topic: str) -> str:
        """Return the client that a request or control topic belongs to.

        Raises:
            BadRequest: It is neither, or the client's level is not a name.

        """
        _, levels = self._levels(topic)
        return check_name(levels[0], "client")

    def parse_request(self, topic: str) -> tuple[str, Lane | None]:
        """Return the client and the lane of a request topic; the lane is None where not given.

        Raises:
            BadRequest: It is no request topic, or there is no such lane.

        """
        kind, levels = self._levels(topic)
        if kind != "request" or len(levels) > 2:  # noqa: PLR2004 - client and lane
            raise BadRequest("topic: expected a request topic with at most a client and a lane")
        client = check_name(levels[0], "client")
        if len(levels) == 1:
            return client, None
        try:
            return client, Lane(levels[1])
        except ValueError:
            raise BadRequest(
                f"lane: expected one of {_LANES}, got {levels[1][:64]!r} as the topic's last level",
                field="lane",
            ) from None

    def parse_control(self, topic: str) -> str:
        """Return the client of a control topic.

        Raises:
            BadRequest: It is no control topic, or the client's level is not a name.

        """
        kind, levels = self._levels(topic)
        if kind != "control" or len(levels) != 1:
            raise BadRequest("topic: expected a control topic that ends in the client's name")
        return check_name(levels[0], "client")

    def request(self, client: str, lane: Lane | None = None) -> str:
        """Return where a client sends its requests."""
        return _join(self.root, "request", client, *(() if lane is None else (lane.value,)))

    def control(self, client: str) -> str:
        """Return where a client sends its control messages."""
        return _join(self.root, "control", client)

    def reply(self, client: str) -> str:
        """Return the client's default reply topic."""
        return _join(self.root, "reply", client)

    @staticmethod
    def stream(reply_topic: str, request_id: str, kind: Kind) -> str:
        """Return where one kind of a request's stream goes, below its reply topic."""
        return _join(reply_topic, request_id, kind.value)

    def status(self) -> str:
        """Return where birth, will and last words are retained."""
        return _join(self.root, "worker", self.worker, "status")

    def card(self) -> str:
        """Return where the worker says what it is and can do."""
        return _join(self.root, "worker", self.worker, "card")

    def metrics(self) -> str:
        """Return where the worker's figures are retained."""
        return _join(self.root, "worker", self.worker, "metrics")

    def dead(self, client: str) -> str:
        """Return where a request that was given up on is reported to the operator."""
        return _join(self.root, "dead", client)

    def _levels(self, topic: str) -> tuple[str, list[str]]:
        """Split a topic below the root into its kind and what follows, at least one level."""
        below = topic.removeprefix(_join(self.root, ""))
        kind, *levels = below.split(LEVEL_SEPARATOR)
        if below == topic or not levels or kind not in ("request", "control"):
            raise BadRequest("topic: expected a request or control topic below the worker's root")
        return kind, levels


def _join(*levels: str) -> str:
    return LEVEL_SEPARATOR.join(levels)
