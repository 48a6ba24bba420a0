"""What a payload would cost is known before anything of it is made a value."""

import json
import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import BadRequest, ThinkqError, TooLarge
from worker.domain.policy import Limits, is_safe_name
from worker.transport.envelope import read_body
from worker.transport.packets import Incoming

SIZE = 2 * 1024 * 1024
BOMBS = {
    "empty lists": b"\x81\xa1a\xdd\x00\x1f\x00\x00" + b"\x90" * 0x1F0000,
    "empty maps": b"\x81\xa1a\xdd\x00\x1f\x00\x00" + b"\x80" * 0x1F0000,
    "lists that claim what is there": b"\x81\xa1a" + b"\xdd\x00\x01\x00\x00" * 60 + b"\x00" * SIZE,
    "lists that claim what is not": b"\x81\xa1a" + b"\xdd\x7f\xff\xff\xff" * 60,
    "maps that claim what is not": b"\x81\xa1a" + b"\xdf\x7f\xff\xff\xff" * 60,
    "a text that is not there": b"\x81\xa1a\xdb\x7f\xff\xff\xff",
    "lists in lists": b"\x81\xa1a" + b"\x91" * 1_000_000,
    "JSON's empty lists": b'{"a":[' + b"[]," * 600_000 + b"[]]}",
    "JSON's numbers": b'{"a":[' + b"1," * 900_000 + b"1]}",
    "JSON's names": json.dumps({f"k{number}": 0 for number in range(150_000)}).encode(),
    "quotes": b'{"a":' + b'"' * 2_000_000,
    "lists in JSON's lists": b'{"a":' + b"[" * 1_000_000,
}


def incoming(payload, content_type="application/json"):
    return Incoming(
        topic="t/request/a",
        payload=payload,
        qos=1,
        retain=False,
        duplicate=False,
        arrived_at=0.0,
        arrived=0.0,
        content_type=content_type,
    )


@pytest.mark.parametrize("payload", BOMBS.values(), ids=BOMBS)
def test_a_payload_made_to_swell_is_refused_before_it_does(payload):
    kind = "application/json" if payload.startswith(b"{") else "application/msgpack"
    tracemalloc.start()
    try:
        with pytest.raises((BadRequest, TooLarge)):
            read_body(incoming(payload, kind), Limits(payload_bytes=4 * SIZE))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=30,
)
FIELDS = st.dictionaries(st.text(st.sampled_from('ab\\":,{[ ')), VALUES, max_size=6)


@given(FIELDS)
def test_whatever_is_whole_and_small_is_read_as_it_was_written(fields):
    for payload, kind in (
        (json.dumps(fields).encode(), "application/json"),
        (json.dumps(fields, ensure_ascii=False, indent=1).encode(), "application/json"),
        (msgpack.packb(fields), "application/msgpack"),
    ):
        assert read_body(incoming(payload, kind), Limits()).content == fields


@given(FIELDS, st.data())
def test_messagepack_that_is_cut_anywhere_is_a_bad_request(fields, data):
    payload = msgpack.packb(fields)
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(ThinkqError):
        read_body(incoming(payload[:cut], "application/msgpack"), Limits())


@pytest.mark.parametrize(
    "trick",
    [
        *("kit\u200bchen", "kit\u202echen", "kit\u2066chen", "kit\u00adchen", "\ufeffkitchen"),
        *("kit\u200dchen", "kit\u3164chen", "kit\ufe0fchen", "kit\u115fchen", "kit\u034fchen"),
        *("kit\u2800chen", "kit\u00a0chen", "kit\u2003chen", "kitchen ", " kitchen"),
        *("kit\U000e0041chen", "kit\U000e0101chen", "kit\u180echen", "kit\x00chen", "kit\x85chen"),
    ],
)
def test_a_name_that_looks_like_another_by_what_can_not_be_seen_is_none(trick):
    assert not is_safe_name(trick)


@pytest.mark.parametrize("name", ["kitchen", "Küche", "台所", "linie 7", "مطبخ", "a-b_c.d", "🍳"])
def test_names_people_give_are_names(name):
    assert is_safe_name(name)
