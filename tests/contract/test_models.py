"""Several models: who answers what, coming when wanted and going when not, each failing alone."""

import os
import signal
import time

import pytest
from exchange import (
    ENDLESS,
    OF_A_SECOND,
    Heard,
    answer,
    begin,
    body_of,
    cancel,
    children_of,
    final_of,
    hear,
    is_final,
    new_id,
    refusal,
    send,
)
from rig import ANSWER_S, DEFAULT_CONFIG, Daemon

SLOW = "stub: tokens=40 delay_ms=10"


def settings(folder, *, models="", small="", large="", access=""):
    """A default model and two more, whose orders for their start stand in files of the folder."""
    for name in ("small", "large"):
        (folder / name).touch()
    return f"""
[model]
name = "stub"
{access}
[models.further.small]
name = "stub-small"
path = "{folder / "small"}"
{small}
[models.further.large]
name = "stub-large"
path = "{folder / "large"}"
{large}
[models]
{models}
"""


def rig(tmp_path_factory, mosquitto, **options):
    folder = tmp_path_factory.mktemp("models")
    return Daemon(folder, mosquitto.port, config=settings(folder, **options)).start()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory, mosquitto):
    """A daemon that keeps what it has loaded, with a lane and a client that have a model."""
    kitchen = '[access.quotas.kitchen]\nmodels = ["sm*"]'
    made = rig(tmp_path_factory, mosquitto, models='lanes = { batch = "small" }', access=kitchen)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def brief_daemon(tmp_path_factory, mosquitto):
    made = rig(tmp_path_factory, mosquitto, models="idle_s = 0.2")
    yield made
    made.stop()


@pytest.fixture
def brief(brief_daemon, client_of):
    """A daemon that unloads what nobody wants, and has nothing but its default model now."""
    client = client_of(brief_daemon).listen(f"{brief_daemon.root}/worker/w1/card")
    for name in ("small", "large"):
        until(client, name, "away")
        (brief_daemon.folder / name).write_text("")
    client.close()
    return brief_daemon


@pytest.fixture
def daemon(tmp_path, daemon_of):
    """Make a daemon of a test's own."""

    def make(**options):
        made = daemon_of()
        config = made.folder / "thinkq.toml"
        config.write_text(
            config.read_text().replace(DEFAULT_CONFIG, settings(made.folder, **options))
        )
        return made.start()

    return make


def orders(daemon, name, text=""):
    """Write what a model's stub does at its next start."""
    (daemon.folder / name).write_text(text)


def with_card(client):
    """Let a client hear its worker's card."""
    return client.listen(f"{client.root}/worker/w1/card")


def models_of(card):
    return {model["name"]: model for model in card.json["models"]}


def until(client, name, state):
    """Wait until the newest card says of a model that it is there, or away; return that card."""

    def settled():
        cards = [message for message in client.heard if message.topic.endswith("/card")]
        return cards[-1] if cards and models_of(cards[-1])[name]["state"] == state else None

    with client._new:
        card = client._new.wait_for(settled, 30)
    assert card is not None, f"{name} is never {state}"
    return card


def engines_of(daemon):
    """Return the process ids of a daemon's engines, by the name of their model."""
    found = {}
    for pid, command in children_of(daemon.process.pid, with_command=True):
        _, named, rest = command.partition('"model_name":"')
        if named:
            found[rest.partition('"')[0]] = pid
    return found


def until_gone(daemon, name):
    """Wait until a model's engine has ended, which the card does not; return whose are there."""
    deadline = time.monotonic() + ANSWER_S
    while name in (engines := engines_of(daemon)) and time.monotonic() < deadline:
        time.sleep(0.02)  # a process that ends tells nobody but its parent
    return set(engines)


# Who answers -----------------------------------------------------------------------------------


def test_a_request_is_answered_by_the_model_it_asks_for(lasting, client_of):
    client = client_of(lasting)
    said = [answer(client, {"prompt": "hi", "model": name}) for name in ("small", "stub-large")]
    assert [reply["model"] for reply in said] == ["stub-small", "stub-large"]


def test_without_a_wish_the_default_model_answers(lasting, client_of):
    client = client_of(lasting)
    assert answer(client, "hi")["model"] == "stub"
    assert answer(client, {"prompt": "hi", "model": "default"})["model"] == "stub"


def test_a_lane_has_the_model_that_the_operator_gives_it(lasting, client_of):
    client = client_of(lasting)
    assert answer(client, {"prompt": "hi", "lane": "batch"})["model"] == "stub-small"
    assert answer(client, {"prompt": "hi", "lane": "interactive"})["model"] == "stub"
    wish = {"prompt": "hi", "lane": "batch", "model": "large"}
    assert answer(client, wish)["model"] == "stub-large"


def test_a_model_that_there_is_not_is_refused_with_those_there_are(lasting, client_of):
    error = refusal(client_of(lasting), {"prompt": "hi", "model": "huge"})
    assert (error["code"], error["field"]) == ("bad_request", "model")
    assert error["message"] == "model: expected one of default, small, large, got 'huge'"


def test_a_client_gets_only_the_models_it_may_use(lasting, wire_of):
    client = wire_of(lasting, "kitchen")
    assert answer(client, "hi")["model"] == "stub-small"
    error = refusal(client, {"prompt": "hi", "model": "large"})
    assert (error["code"], error["field"]) == ("forbidden", "model")
    assert error["message"] == "model: kitchen may use small, not large"


def test_a_session_goes_on_with_another_model(lasting, client_of):
    client, session = client_of(lasting), new_id()
    answer(client, {"prompt": "one two", "session": session})
    later = answer(client, {"prompt": "three", "session": session, "model": "small"})
    assert later["model"] == "stub-small"
    assert later["usage"]["prompt_tokens"] == len(["one", "two", "one", "two", "three"])


def test_a_session_keeps_its_order_across_models(lasting, client_of):
    client, session = client_of(lasting), new_id()
    first = send(client, SLOW, session=session, model="small")
    second = send(client, "two", session=session)
    final = body_of(client.wait(is_final))
    assert (final["id"], final["model"]) == (first, "stub-small")
    assert body_of(client.wait(is_final))["id"] == second


# Coming and going ------------------------------------------------------------------------------


def test_only_pinned_models_are_there_at_the_start(daemon, client_of):
    worker = daemon(large="pinned = true")
    until(with_card(client_of(worker)), "large", "resident")
    assert set(engines_of(worker)) == {"stub", "stub-large"}


def test_the_default_answers_while_another_model_loads(brief, client_of):
    client = client_of(brief)
    orders(brief, "small", "load_ms=4000")
    slow = send(client, "hi", model="small")
    assert answer(client, "hello")["model"] == "stub"
    assert not [message for message in client.heard if is_final(message)]
    assert body_of(final_of(client, slow))["model"] == "stub-small"


def test_who_waits_for_a_model_is_told_that_it_is_loading(brief, client_of):
    client = client_of(brief)
    orders(brief, "small", "load_ms=2000")
    asked = [send(client, "hi", model="small", stream=True) for _ in range(2)]
    for request_id in asked:
        states = Heard(client, request_id).states()
        assert states[:2] == ["queued", "loading"]
        assert states.count("loading") == 1


def test_a_request_that_waits_for_a_model_can_be_cancelled(brief, client_of):
    client = client_of(brief)
    orders(brief, "large", "load_ms=4000")
    waiting = send(client, "hi", model="large", stream=True)
    hear(client, lambda m: m.topic.endswith("/progress") and m.json["state"] == "loading")
    cancel(client, waiting)
    assert body_of(final_of(client, waiting))["error"]["code"] == "cancelled"


def test_a_deadline_that_passes_while_a_model_loads_ends_the_wait(daemon, client_of):
    worker = daemon()
    orders(worker, "small", "load_ms=5000")
    error = refusal(client_of(worker), {"prompt": "hi", "model": "small", "deadline_ms": 300})
    assert error["code"] == "deadline_exceeded"


def test_a_deadline_that_loading_is_known_to_outlast_is_refused_even_after_a_restart(
    daemon, client_of
):
    worker = daemon()
    orders(worker, "small", "load_ms=1500")
    answer(client_of(worker), {"prompt": "hi", "model": "small"})
    worker.stop()
    client = client_of(worker.start())
    error = refusal(client, {"prompt": "hi", "model": "small", "deadline_ms": 700})
    assert (error["code"], error["field"]) == ("deadline_unreachable", "deadline_ms")


def test_a_model_that_nobody_wants_goes_and_comes_back_when_it_is_wanted(brief, client_of):
    client = with_card(client_of(brief))
    for _ in range(2):
        assert answer(client, {"prompt": "hi", "model": "small"})["model"] == "stub-small"
        until(client, "small", "away")
    answer(client, "hi")
    assert until_gone(brief, "stub-small") == {"stub"}


def test_no_request_is_lost_that_comes_while_its_model_goes(daemon, client_of):
    client = client_of(daemon(models="idle_s = 0.001"))
    for number in range(8):
        wanted = {"prompt": f"hi {number}", "model": "small"}
        assert answer(client, wanted)["content"] == f"hi {number}"


SIX_HUNDRED = {"small": "memory_bytes = 600", "large": "memory_bytes = 600"}


def test_two_models_are_there_at_once_if_they_fit(daemon, client_of):
    worker = daemon(models="memory_bytes = 1200", **SIX_HUNDRED)
    client = client_of(worker)
    asked = [begin(client, OF_A_SECOND, model=name) for name in ("small", "large")]
    assert set(engines_of(worker)) == {"stub", "stub-small", "stub-large"}
    assert [Heard(client, one).final["model"] for one in asked] == ["stub-small", "stub-large"]


def test_of_two_that_do_not_fit_the_idle_one_goes_and_the_busy_one_ends_first(daemon, client_of):
    worker = daemon(models="memory_bytes = 1000\nturn_s = 0.1", **SIX_HUNDRED)
    client = client_of(worker)
    answer(client, {"prompt": "hi", "model": "small"})
    busy = begin(client, OF_A_SECOND, model="large")
    assert set(engines_of(worker)) == {"stub", "stub-large"}
    after = send(client, "hi", model="small")
    assert Heard(client, busy).final["finish_reason"] == "stop"
    assert body_of(final_of(client, after))["model"] == "stub-small"
    assert set(engines_of(worker)) == {"stub", "stub-small"}


def test_models_that_do_not_fit_together_take_turns_under_load(daemon, client_of):
    one_row = {name: f"{text}\nmax_rows = 1" for name, text in SIX_HUNDRED.items()}
    client = client_of(daemon(models="memory_bytes = 1000\nturn_s = 0.2", **one_row))
    asked = [
        send(client, "stub: tokens=10 delay_ms=15", model=name)
        for _ in range(4)
        for name in ("small", "large")
    ]
    for request_id in asked:
        assert body_of(final_of(client, request_id))["status"] == "ok"


def test_a_model_that_can_never_fit_is_refused(daemon, client_of):
    client = client_of(daemon(models="memory_bytes = 1000", small="memory_bytes = 2000"))
    error = refusal(client, {"prompt": "hi", "model": "small"})
    assert error["code"] == "engine_failed"
    assert answer(client, "hi")["model"] == "stub"


# Faults ----------------------------------------------------------------------------------------


def test_killing_one_models_engine_leaves_the_others_rows_alone(lasting, client_of):
    client = client_of(lasting)
    unharmed = begin(client, SLOW)
    hit = begin(client, SLOW, model="small")
    pids = engines_of(lasting)
    os.kill(pids["stub-small"], signal.SIGKILL)
    for request_id in (unharmed, hit):
        heard = Heard(client, request_id)
        assert heard.text("answer") == heard.final["content"]
        assert heard.final["content"].endswith("w38 end")
    assert engines_of(lasting)["stub"] == pids["stub"]


@pytest.mark.parametrize("fault", ["fail", "die"])
def test_a_model_that_can_not_be_loaded_fails_its_own_requests_until_it_is_repaired(
    daemon, client_of, fault
):
    worker = daemon()
    client = client_of(worker)
    orders(worker, "small", f"load_ms=300 {fault}")
    running = begin(client, ENDLESS)
    asked = [new_id() for _ in range(100)]
    for request_id in asked:
        # All are there before it is tried again: none waits for the broker's word on the last.
        client.send({"id": request_id, "prompt": "hi", "model": "small"}, qos=0)
    for request_id in asked:
        error = body_of(final_of(client, request_id))["error"]
        assert error["code"] == "engine_failed"
        assert error["retry_after_ms"] > 0
    assert answer(client, "hi")["model"] == "stub"
    cancel(client, running)
    assert Heard(client, running).final["finish_reason"] == "cancelled"
    orders(worker, "small")
    tried = (body_of(final_of(client, send(client, "hi", model="small"))) for _ in range(10_000))
    assert next(reply for reply in tried if reply["status"] == "ok")["model"] == "stub-small"
    # However many asked: the default's load, the one that failed, the one that did not.
    assert worker.log.read_text().count("model_loading") == 3


def test_a_model_whose_folder_is_missing_fails_its_own_requests_only(daemon, client_of):
    worker = daemon(models='[models.further.lost]\nname = "/nowhere/at all"')
    client = client_of(worker)
    error = refusal(client, {"prompt": "hi", "model": "lost"})
    assert error["code"] == "engine_failed"
    assert "nowhere" not in error["message"]
    assert answer(client, "hi")["model"] == "stub"


# What is said of them --------------------------------------------------------------------------


def test_the_card_lists_the_models_and_which_are_there(lasting, client_of):
    client = with_card(client_of(lasting))
    answer(client, {"prompt": "hi", "model": "small"})
    models = models_of(until(client, "small", "resident"))
    assert list(models) == ["default", "small", "large"]
    assert [model["model"] for model in models.values()] == ["stub", "stub-small", "stub-large"]
    assert [model["pinned"] for model in models.values()] == [True, False, False]
    assert [model["lanes"] for model in models.values()] == [
        ["interactive", "standard"], ["batch"], [],
    ]  # fmt: skip


def test_the_metrics_count_the_loads_of_each_model(daemon, client_of):
    worker = daemon()
    answer(client_of(worker), {"prompt": "hi", "model": "small"})
    client = client_of(worker).listen(f"{worker.root}/worker/w1/metrics")

    def counted(message):
        return message.topic.endswith("/metrics") and message.json["engine_starts"] == 2

    models = client.wait(counted).json["models"]
    assert {name: model["loads"] for name, model in models.items()} == {
        "default": 1, "small": 1, "large": 0,
    }  # fmt: skip
