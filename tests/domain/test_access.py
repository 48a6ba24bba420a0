"""Who may do what: the rules alone."""

import pytest

from worker.domain.access import UNLIMITED, Quota, Rules
from worker.domain.errors import Forbidden
from worker.domain.messages import Lane, Message, ReplyRoute, Request


def request(client="kitchen", **fields):
    return Request(
        id="1",
        key=b"1",
        client=client,
        messages=(Message("user", "hi"),),
        reply_to=ReplyRoute("r"),
        arrived_at=0.0,
        **{"lane": Lane.STANDARD, **fields},
    )


def tool(name):
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("rules", "client", "admitted"),
    [
        (Rules(), "anyone", True),
        (Rules(deny=("guest*",)), "guest-7", False),
        (Rules(deny=("guest*",)), "kitchen", True),
        (Rules(allow=("kitchen", "line-*")), "line-2", True),
        (Rules(allow=("kitchen", "line-*")), "hall", False),
        (Rules(allow=("*",), deny=("hall",)), "hall", False),
    ],
)
def test_names_are_admitted_unless_denied_or_left_out(rules, client, admitted):
    assert rules.admits(client) is admitted


def test_a_clients_own_quota_goes_before_the_longest_pattern_that_fits():
    one, two, three = (Quota(requests_per_minute=n) for n in (1, 2, 3))
    rules = Rules(quotas={"*": one, "line-*": two, "line-7": three}, operators=("boss",))
    assert rules.quota_of("line-7") is three
    assert rules.quota_of("line-8") is two
    assert rules.quota_of("hall") is one
    assert rules.quota_of("boss") is UNLIMITED
    assert Rules().quota_of("hall") is UNLIMITED


@pytest.mark.parametrize(
    ("quota", "fields", "field"),
    [
        (Quota(lanes=(Lane.BATCH,)), {"lane": Lane.INTERACTIVE}, "lane"),
        (Quota(thinking_tokens=0), {"mode": "think"}, "mode"),
        (Quota(tools=("light_*",)), {"tools": (tool("light_on"), tool("door_open"))}, "tools[1]"),
    ],
)
def test_what_a_client_may_not_have_is_refused_by_name(quota, fields, field):
    with pytest.raises(Forbidden) as caught:
        Rules(quotas={"*": quota}).check(request(**fields))
    assert caught.value.field == field


def test_what_is_allowed_passes():
    quota = Quota(lanes=(Lane.STANDARD,), tools=("light_*",), thinking_tokens=10)
    Rules(quotas={"*": quota}).check(request(mode="think", tools=(tool("light_on"),)))
