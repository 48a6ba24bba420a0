"""A worker that says what the test tells it to, over a real broker."""

import json
import queue
import uuid

import pytest
from rig import Wire

from worker.client import Client


class ScriptedWorker(Wire):
    """Answers each request by calling `script(request, say)`; `say(body, *below)` publishes."""

    def __init__(self, port):
        super().__init__(port, f"t{uuid.uuid4().hex[:12]}", "worker")
        self.requests = []
        self.controls = queue.SimpleQueue()
        self.script = lambda request, say: say({"id": request["id"], "status": "ok"})
        self.client.message_callback_add(f"{self.root}/request/+", self._requested)
        self.client.message_callback_add(f"{self.root}/control/+", self._controlled)
        self.listen(f"{self.root}/request/+", f"{self.root}/control/+")

    def _requested(self, client, _userdata, message):
        request = json.loads(message.payload)
        self.requests.append((request, message.properties))
        below = [message.properties.ResponseTopic]

        def say(body, *levels):
            payload = body if isinstance(body, bytes) else json.dumps(body)
            client.publish("/".join([*below, *levels]), payload, 1)

        self.script(request, say)

    def _controlled(self, _client, _userdata, message):
        self.controls.put((message.topic, json.loads(message.payload)))

    def be(self, status):
        info = self.client.publish(
            f"{self.root}/worker/w1/status", json.dumps({"status": status}), 1, retain=True
        )
        info.wait_for_publish(10)


@pytest.fixture
def scripted(mosquitto):
    worker = ScriptedWorker(mosquitto.port)
    yield worker
    worker.close()


@pytest.fixture
def client(mosquitto, scripted):
    with Client("127.0.0.1", mosquitto.port, root=scripted.root, name="kitchen") as client:
        yield client
