"""What is fuzzed: one function for each door that bytes come in by, and bytes to begin with.

A target raises nothing that its door does not promise: an error of the contract at the wire, a
SettingsError at the settings, a JournalError at the journal's file. Used by tests/fuzz, which
mutates at random, and by bench/fuzz.py, which does the same for longer or is led by coverage.
"""

import json
import sqlite3
import tempfile
from pathlib import Path

import msgpack

from worker.domain.errors import BY_CODE, ThinkqError
from worker.domain.policy import Limits
from worker.journal.storage import JournalError, open_for_reading
from worker.journal.store import Journal
from worker.settings import load
from worker.settings_sources import SettingsError
from worker.transport import codec
from worker.transport.packets import Incoming
from worker.transport.topics import Topics

TOPICS = Topics("thinkq", "w1")
LIMITS = Limits()

REQUEST = {
    "id": "a1",
    "messages": [
        {"role": "system", "content": "Be brief. /think"},
        {"role": "user", "content": [{"type": "text", "text": "Turn on the light."}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "on", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "user", "content": "And now? 开灯"},
    ],
    "mode": "auto",
    "thinking_budget": 64,
    "session": "s1",
    "max_tokens": 50,
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": 7,
    "stop": ["\n"],
    "logit_bias": {"17": -5.5},
    "logprobs": True,
    "top_logprobs": 2,
    "stream": True,
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    "tools": [{"type": "function", "function": {"name": "on", "parameters": {"type": "object"}}}],
    "tool_choice": "auto",
    "lane": "batch",
    "deadline_ms": 5000,
    "context": {"readings": [1, 2.5, None, True]},
    "reply_to": "thinkq/reply/me/x",
    "metadata": {"a": {"b": ["c"]}},
}
CONTROLS = [
    {"op": "cancel", "id": "a1"},
    {"op": "resume", "id": "a1", "from_seq": {"answer": 3}, "reply_to": "thinkq/reply/me/x"},
    {"op": "feedback", "correlation": "a1", "verdict": "good"},
    {"op": "forget", "session": "s1", "of": "you"},
    {"op": "status", "seq": 4},
]
SETTINGS = b"""\
data_dir = "/tmp/x"
[broker]
host = "127.0.0.1"
port = 1883
tls.enabled = false
[topics]
root = "thinkq"
reply_allow = ["lights/%c/#"]
[thinking]
lane_presets = {interactive = "quick"}
[access.quotas."line-*"]
requests_per_minute = 3
lanes = ["batch"]
[engine]
max_rows = 4
"""

_HEADS = (None, "application/json", "application/msgpack", "text/plain; charset=utf-8", "image/png")


def _incoming(data, topic):
    """Read the first bytes as properties and the rest as the payload."""
    head = data[:2].ljust(2, b"\0")
    return Incoming(
        topic=topic,
        payload=data[2:],
        content_type=_HEADS[head[0] % len(_HEADS)],
        correlation_data=data[2:12] if head[1] & 1 else None,
        response_topic=data[2:40].decode(errors="surrogateescape") if head[1] & 2 else None,
        expiry_s=head[1] if head[1] & 4 else None,
    )


def envelope(data):
    """A request's payload and properties."""
    incoming = _incoming(
        data, "thinkq/request/me/batch" if data[:1] > b"\x80" else "thinkq/request/me"
    )
    codec.request_name(incoming, LIMITS)
    _answered(codec.decode_request, incoming)


def control(data):
    """A control message's."""
    _answered(codec.decode_control, _incoming(data, "thinkq/control/me"))


def topic(data):
    """A topic that a broker let through."""
    text = data.decode(errors="surrogateescape")
    for name in (f"thinkq/request/{text}", f"thinkq/control/{text}", text):
        _answered(codec.decode_request, Incoming(topic=name, payload=b'{"prompt": "hi"}'))


def config(data):
    """The settings' file."""
    with tempfile.TemporaryDirectory(dir=_RAM) as folder:
        path = Path(folder) / "thinkq.toml"
        path.write_bytes(data)
        try:
            load(path, environment={})
        except SettingsError as error:
            _says_something(error)


def journal(data):
    """The journal's file: what was in it is read, set aside, or refused."""
    with tempfile.TemporaryDirectory(dir=_RAM) as folder:
        path = Path(folder) / "journal.sqlite"
        path.write_bytes(data)
        try:
            opened = Journal.open(path)
        except JournalError as error:
            _says_something(error)
            return
        opened.backlog()
        opened.undelivered()
        opened._writer._connection.close()
        with open_for_reading(path) as connection:
            connection.execute("SELECT count(*) FROM record").fetchone()


def _answered(decode, incoming):
    try:
        decode(incoming, topics=TOPICS, limits=LIMITS, reply_allow=("lights/%c/#",))
    except ThinkqError as error:
        _says_something(error)
        _is_of_the_contract(error)


def _says_something(error):
    assert str(error)


def _is_of_the_contract(error):
    assert error.code in BY_CODE


def _a_journal():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        opened = Journal.open(path)
        opened._writer._connection.execute(
            "INSERT INTO record (client, key, id, state, accepted_at, updated_at, size_bytes)"
            " VALUES ('me', x'61', 'a', 'accepted', 1, 1, 1)"
        )
        opened._writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        opened._writer._connection.close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
        return path.read_bytes()


_RAM = "/dev/shm" if Path("/dev/shm").is_dir() else None

TARGETS = {
    "envelope": (
        envelope,
        [b"\0\0" + json.dumps(REQUEST).encode(), b"\2\1" + msgpack.packb(REQUEST), b"\3\0hello"],
    ),
    "control": (
        control,
        [b"\0\1" + json.dumps(body).encode() for body in CONTROLS]
        + [b"\2\1" + msgpack.packb(body) for body in CONTROLS],
    ),
    "topic": (topic, [b"me", b"me/batch", "küche/interactive".encode(), b"a/b/c", b"$x"]),
    "config": (config, [SETTINGS]),
    "journal": (journal, [_a_journal()]),
}
"""Each target and the bytes that its mutations begin with."""


def mutated(rng, seeds):
    """Return one of the seeds with a few bytes changed, cut out, doubled, or another's put in."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not data:
            break
        at = rng.randrange(len(data))
        length = rng.choice((1, 1, 2, 4, 16, 64))
        way = rng.randrange(6)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at : at + length] = rng.randbytes(length)
        elif way == 2:
            del data[at : at + length]
        elif way == 3:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 100))
        elif way == 4:
            other = rng.choice(seeds)
            cut = rng.randrange(len(other))
            data[at:at] = other[cut : cut + length]
        else:
            data[at:at] = rng.choice(TOKENS)
    return bytes(data)


TOKENS = [
    b"null", b"-1", b"1e999", b"99999999999999999999", b'""', b"[]", b"{}", b"NaN", b"\xff", b"\0",
    b"\\u0000", b"\\ud800", b"[" * 70, b"\xe2\x80\xae", b"\xc1", b"\xc7\x08\x01", b'"id"', b"true",
]  # fmt: skip
