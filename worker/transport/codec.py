"""Bytes to requests and replies to bytes: the door to the modules that do it.

`envelope` finds a payload's encoding and its reply route, `requests` and `control` read the
fields that `schema` allows, `replies` writes what goes back.
"""

from worker.transport.control import decode_control
from worker.transport.envelope import reply_route
from worker.transport.replies import (
    encode_control_reply,
    encode_dead,
    encode_part,
    encode_progress,
    encode_reply,
    encode_retained,
)
from worker.transport.requests import decode_request, request_name

__all__ = [
    "decode_control",
    "decode_request",
    "encode_control_reply",
    "encode_dead",
    "encode_part",
    "encode_progress",
    "encode_reply",
    "encode_retained",
    "reply_route",
    "request_name",
]
