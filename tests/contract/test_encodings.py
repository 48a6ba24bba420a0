"""Three encodings, and the reply in the request's own; Correlation Data as it came."""

import msgpack
import pytest
from exchange import JSON, MSGPACK, TEXT, answer, ask, body_of, is_final, new_id, refusal, send

PAYLOADS = {
    JSON: b'{"prompt": "hello there"}',
    MSGPACK: msgpack.packb({"prompt": "hello there"}),
    TEXT: b"hello there",
}


@pytest.mark.parametrize("content_type", PAYLOADS)
def test_a_reply_has_the_encoding_of_its_request(client, content_type):
    reply = ask(client, PAYLOADS[content_type], ContentType=content_type)
    assert reply.content_type == content_type
    if content_type == TEXT:
        assert reply.payload == b"hello there"
    else:
        assert body_of(reply)["content"] == "hello there"


@pytest.mark.parametrize("content_type", PAYLOADS)
def test_the_encoding_is_found_without_a_content_type(client, content_type):
    assert ask(client, PAYLOADS[content_type]).content_type == content_type


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "text/plain"]
)
def test_content_types_are_read_as_media_types(client, content_type):
    assert ask(client, b'{"prompt": "hi"}', ContentType=content_type).user["status"] == "ok"


@pytest.mark.parametrize(
    "payload",
    [b'{"prompt": "never closed"', b"[1, 2, 3]", b"42", b'"quoted"', "grüß dich 你好".encode()],
)
def test_what_is_no_map_is_a_prompt_when_no_content_type_says_otherwise(client, payload):
    reply = ask(client, payload)
    assert (reply.content_type, reply.payload) == (TEXT, payload)


def test_json_declared_as_text_is_a_prompt(client):
    payload = b'{"prompt": "hi"}'
    assert ask(client, payload, ContentType=TEXT).payload == payload


def test_a_reply_to_text_tells_id_status_mode_and_seq_in_its_user_properties(client):
    reply = ask(client, b"hello there", correlation=b"lamp-7")
    assert reply.user == {"id": "lamp-7", "status": "ok", "mode": "no_think", "seq": "final"}


def test_a_reply_to_text_holds_the_answer_and_no_thought(client):
    reply = ask(client, b"/think what is it", ContentType=TEXT)
    assert (reply.payload, reply.user["mode"]) == (b"what is it", "think")


def test_an_error_to_text_names_its_code_and_says_what_is_wrong(client):
    reply = ask(client, b"\xff\xfe", ContentType=TEXT)
    assert reply.content_type == TEXT
    assert reply.payload.startswith(b"error: bad_request: ")
    assert reply.user["status"] == "error"


def test_an_engine_failure_is_told_to_a_text_client(client):
    assert ask(client, b"stub: fail").payload.startswith(b"error: engine_failed: ")


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
def test_user_properties_repeat_status_and_mode(client, content_type):
    reply = ask(client, PAYLOADS[content_type], ContentType=content_type)
    body = body_of(reply)
    assert (reply.user["status"], reply.user["mode"]) == (body["status"], body["mode"])


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
def test_an_error_has_the_encoding_that_was_declared(client, content_type):
    reply = ask(client, b"\xc1", ContentType=content_type)
    assert reply.content_type == content_type
    assert body_of(reply)["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    "content_type",
    ["application/xml", "image/png", "application/json; charset=latin-1", "text/plain;charset=x"],
)
def test_other_media_are_refused(client, content_type):
    assert refusal(client, b"<a/>", ContentType=content_type)["code"] == "unsupported_media"


@pytest.mark.parametrize(
    "correlation",
    [b"", b"\x00", b"\x00\x01\xff\xfe", b"plain-name", b"a/b+c#", "名前".encode(), b"k" * 1024],
    ids=["empty", "nul", "bytes", "name", "unsafe", "unicode", "1 kB"],
)
def test_correlation_data_is_echoed_byte_for_byte(client, correlation):
    send_id = new_id()
    client.send({"id": send_id, "prompt": "hello"}, correlation=correlation)
    reply = client.wait(lambda message: is_final(message) and body_of(message)["id"] == send_id)
    assert reply.correlation == correlation


def test_correlation_data_that_is_a_name_is_the_id(client):
    name = new_id()
    assert body_of(ask(client, {"prompt": "hello"}, correlation=name.encode()))["id"] == name


def test_correlation_data_of_any_bytes_identifies_its_request(client):
    correlation = b"\x00\xff" + new_id().encode()
    first = ask(client, {"prompt": "hello"}, correlation=correlation)
    again = ask(client, {"prompt": "hello"}, correlation=correlation)
    assert again.payload == first.payload


def test_an_id_in_the_payload_wins_over_correlation_data(client):
    request_id = new_id()
    reply = ask(client, {"id": request_id, "prompt": "hello"}, correlation=b"another")
    assert (body_of(reply)["id"], reply.correlation) == (request_id, b"another")


def test_a_request_without_any_name_gets_a_new_one_each_time(client):
    ids = set()
    for _ in range(3):
        client.send({"prompt": "hello"})
        ids.add(body_of(client.wait(is_final))["id"])
    assert len(ids) == 3


def test_a_request_without_correlation_data_is_answered_without(client):
    send(client, "hello")
    assert client.wait(is_final).correlation is None


def test_an_errors_id_is_the_requests(client):
    request_id = new_id()
    client.send({"id": request_id, "prompt": 5})
    assert body_of(client.wait(is_final))["id"] == request_id


def test_texts_survive_every_encoding(client):
    text = 'quotes " and \\ and\ttabs, ünïcödé 你好 🙂'
    packed = msgpack.packb({"prompt": text})
    assert answer(client, text)["content"] == text
    assert body_of(ask(client, packed, ContentType=MSGPACK))["content"] == text
    assert ask(client, text, ContentType=TEXT).payload.decode() == text
