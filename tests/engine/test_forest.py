"""What is known of prompts, whose it is, and what goes first."""

import numpy as np
import pytest

from worker.engine.forest import EVERYBODY, Entry, Forest


def cut(entry, length):
    entry.payload = entry.payload[:length]
    return length


class Known:
    """A forest whose payloads are the tokens themselves, a byte each."""

    def __init__(self):
        self.forest = Forest(cut)

    def add(self, owner, text, session=""):
        tokens = tokens_of(text)
        parts = self.forest.longest(owner, tokens)
        known = parts[-1].end if parts else 0
        parent = parts[-1].entry if parts else None
        entry = Entry(
            owner, tokens[known:], known, parent, payload=text[known:], size_bytes=len(text) - known
        )
        self.forest.add(entry)
        end = len(text)
        above = entry
        while above is not None:
            above.extents[session] = max(end, above.extents.get(session, 0))
            end, above = above.begin, above.parent
        return entry

    def of(self, owner, text):
        parts = self.forest.longest(owner, tokens_of(text))
        return "".join(part.entry.payload[: part.end - part.entry.begin] for part in parts)

    def use(self, owner, text):
        self.forest.touch(self.forest.longest(owner, tokens_of(text))[-1].entry)


def tokens_of(text):
    return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)


@pytest.fixture
def known():
    return Known()


def test_the_longest_known_beginning_is_found_over_several_entries(known):
    for text in ("system one", "system two", "system two and more", "system two and less"):
        known.add("me", text)
    assert known.of("me", "system two and lessons") == "system two and less"
    assert known.of("me", "system tweed") == "system tw"
    assert known.of("me", "nothing") == ""


def test_what_two_prompts_share_is_held_once(known):
    known.add("me", "a long beginning: cats")
    known.add("me", "a long beginning: dogs")
    assert known.forest.size_bytes == len("a long beginning: cats") + len("dogs")


def test_a_client_finds_its_own_and_what_is_pinned_and_nothing_else(known):
    known.add(EVERYBODY, "pinned ")
    known.add("me", "pinned and mine")
    assert known.of("me", "pinned and mine") == "pinned and mine"
    assert known.of("you", "pinned and mine") == "pinned "
    assert known.forest.pinned_bytes == len("pinned ")


def test_what_is_pinned_after_a_client_had_it_is_found_by_all(known):
    known.add("me", "pinned and mine")
    known.add(EVERYBODY, "pinned and ours")
    assert known.of("you", "pinned and mine") == "pinned and "


def test_what_was_used_longest_ago_goes_first(known):
    for text in ("aaaa", "bbbb", "cccc"):
        known.add("me", text)
    known.use("me", "aaaa")
    known.forest.evict(8)
    assert [known.of("me", text) for text in ("aaaa", "bbbb", "cccc")] == ["aaaa", "", "cccc"]


def test_an_end_that_nobody_goes_on_from_goes_and_the_shared_beginning_stays(known):
    known.add("me", "shared, then an old end")
    known.add("me", "shared, and a new one")
    known.forest.evict(len("shared, and a new one"))
    assert known.of("me", "shared, then an old end") == "shared, "
    assert known.of("me", "shared, and a new one") == "shared, and a new one"


def test_what_is_pinned_or_held_stays_whatever_room_there_is(known):
    known.add(EVERYBODY, "pinned")
    known.add("me", "held").holds = 1
    known.add("me", "neither")
    known.forest.evict(0)
    assert [known.of("me", text) for text in ("pinned", "held", "neither")] == [
        "pinned",
        "held",
        "",
    ]


def test_forgetting_a_client_leaves_the_others(known):
    known.add("me", "one")
    known.add("me", "one and two")
    known.add("you", "one")
    known.forest.forget("me")
    assert known.of("me", "one and two") == ""
    assert known.of("you", "one") == "one"
    assert known.forest.size_bytes == len("one")


def test_forgetting_a_session_leaves_what_another_shares_with_it(known):
    known.add("me", "system; first talk", session="first")
    known.add("me", "system; second talk", session="second")
    known.add("me", "system; first talk goes on", session="first")
    known.forest.forget("me", "first")
    assert known.of("me", "system; first talk goes on") == "system; "
    assert known.of("me", "system; second talk") == "system; second talk"
    known.forest.forget("me", "second")
    assert known.forest.size_bytes == 0
