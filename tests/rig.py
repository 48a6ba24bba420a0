"""A real broker, a real daemon in its own process, a plain client: for tests and benches.

Nothing here imports from `worker`: the daemon is started by its command and spoken to over MQTT.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

START_S = 60.0
ANSWER_S = 30.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_mosquitto():
    places = [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/opt/homebrew/sbin"]
    found = shutil.which("mosquitto", path=os.pathsep.join(places))
    if found is None:
        raise AssertionError("mosquitto is not installed: `make setup` says how to get it")
    return found


class Mosquitto:
    """A real Mosquitto on loopback, which can be killed and started again on the same port."""

    def __init__(self, folder, port=None, *, lines=(), saves_each_change=True):
        self.folder = Path(folder)
        self.port = port or free_port()
        self.process = None
        config = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            "max_queued_messages 20000",
            "max_inflight_messages 1000",
            "persistence true",
            f"persistence_location {self.folder}/",
            *(("autosave_interval 1", "autosave_on_changes true") if saves_each_change else ()),
            *lines,
        ]
        # Started as root, Mosquitto would give up its rights and then not be able to write here.
        if os.geteuid() == 0:
            config.append("user root")
        (self.folder / "mosquitto.conf").write_text("\n".join(config) + "\n")

    def start(self):
        log = (self.folder / "mosquitto.log").open("ab")
        self.process = subprocess.Popen(
            [find_mosquitto(), "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
        )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "mosquitto.log").read_text())
            time.sleep(0.02)
        raise RuntimeError("mosquitto did not start")

    def stop(self, number=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(10)


class Message:
    """One message as it arrived, its properties flattened."""

    def __init__(self, message):
        properties = message.properties
        self.topic = message.topic
        self.payload = message.payload
        self.qos = message.qos
        self.retain = message.retain
        self.correlation = getattr(properties, "CorrelationData", None)
        self.content_type = getattr(properties, "ContentType", None)
        self.user = dict(getattr(properties, "UserProperty", []))

    @property
    def json(self):
        return json.loads(self.payload)


class Wire:
    """A plain MQTT client that collects what it hears; knows nothing of thinkq but the contract."""

    def __init__(
        self,
        port,
        root,
        name="me",
        *,
        protocol=mqtt.MQTTv5,
        username=None,
        password=None,
        tls=None,
        client_id=None,
        will=None,
    ):
        self.port = port
        self.root = root
        self.name = name
        self.heard = deque()
        self._new = threading.Condition()
        self._subscribed = threading.Semaphore(0)
        self.is_v5 = protocol == mqtt.MQTTv5
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id or f"{name}-{uuid.uuid4().hex[:8]}",
            protocol=protocol,
        )
        if tls is not None:
            self.client.tls_set_context(tls)
        if will is not None:
            self.client.will_set(*will)
        if username is not None:
            self.client.username_pw_set(username, password)
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self._subscribed.release()
        self.client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_message(self, _client, _userdata, message):
        with self._new:
            self.heard.append(Message(message))
            self._new.notify_all()

    def listen(self, *filters, qos=1):
        for one in filters:
            self.client.subscribe(one, qos)
            assert self._subscribed.acquire(timeout=10), f"no SUBACK for {one}"
        return self

    @property
    def reply_topic(self):
        return f"{self.root}/reply/{self.name}"

    def send(self, payload, *, topic=None, reply_to=None, correlation=None, qos=1, **properties):
        """Publish a request; a dict goes as JSON. Extra properties by paho's names."""
        if not isinstance(payload, (bytes, str)):
            payload = json.dumps(payload)
        packet = None
        if self.is_v5:
            packet = Properties(PacketTypes.PUBLISH)
            if reply_to is not None:
                packet.ResponseTopic = reply_to
            if correlation is not None:
                packet.CorrelationData = correlation
            for key, value in properties.items():
                setattr(packet, key, value)
        topic = topic or f"{self.root}/request/{self.name}"
        info = self.client.publish(topic, payload, qos=qos, properties=packet)
        info.wait_for_publish(10)
        return info

    def wait(self, wanted=lambda _message: True, timeout_s=ANSWER_S):
        """Return and remove the first message that is wanted; fail if it does not come in time."""
        deadline = time.monotonic() + timeout_s
        with self._new:
            while True:
                for message in self.heard:
                    if wanted(message):
                        self.heard.remove(message)
                        return message
                left = deadline - time.monotonic()
                if left <= 0 or not self._new.wait(left):
                    topics = [message.topic for message in self.heard]
                    raise AssertionError(f"nothing wanted came in {timeout_s} s; heard: {topics}")

    def reply(self, request_id=None, timeout_s=ANSWER_S, topic=None):
        """Return the body of a final reply on the default (or given) reply topic."""
        topic = topic or self.reply_topic

        def wanted(message):
            if message.topic != topic:
                return False
            return request_id is None or message.json.get("id") == request_id

        return self.wait(wanted, timeout_s).json

    def ask(self, body, **options):
        """Send a request and return its final reply's body; needs a subscription to the reply."""
        body = {"prompt": body} if isinstance(body, str) else body
        body = {"id": uuid.uuid4().hex, **body}
        self.send(body, **options)
        return self.reply(body["id"])

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Daemon:
    """A `thinkq run` in its own process, with a data folder and a topic root of its own."""

    def __init__(
        self, folder, port, *, config="", root=None, worker="w1", program=("-m", "worker.cli")
    ):
        self.program = program
        self.folder = Path(folder)
        self.port = port
        self.root = root or f"t{uuid.uuid4().hex[:12]}"
        self.worker = worker
        self.process = None
        self.started_at = 0.0
        """Unix time in seconds; what an earlier life said was said before."""
        self.log = self.folder / "daemon.log"
        (self.folder / "thinkq.toml").write_text(
            f'data_dir = "{self.folder / "data"}"\n'
            f"[broker]\nhost = '127.0.0.1'\nport = {port}\n"
            f"[topics]\nroot = '{self.root}'\n[worker]\nid = '{worker}'\n"
            f"{config or DEFAULT_CONFIG}\n"
        )

    def start(self, *, wait=True):
        self.started_at = time.time()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *self.program,
                    "run",
                    "--config",
                    self.folder / "thinkq.toml",
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Return when the status says that a model is loaded by this very process."""
        listener = Wire(self.port, self.root, "observer")
        try:
            listener.listen(f"{self.root}/worker/{self.worker}/status")

            def is_ready(message):
                status = message.json
                return status.get("model") and status["incarnation"] >= int(self.started_at * 1000)

            listener.wait(is_ready, START_S)
        except BaseException:
            print(self.log.read_text()[-4000:])
            raise
        finally:
            listener.close()
        return self

    def stop(self, number=signal.SIGTERM, timeout_s=30):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None


DEFAULT_CONFIG = '[model]\nname = "stub"\n'
