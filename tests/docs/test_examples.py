"""The examples do what they say: run against a real daemon, or held against the contract."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, mosquitto):
    """A stub daemon under the root `thinkq`, as the examples expect it."""
    from rig import Daemon

    running = Daemon(tmp_path_factory.mktemp("daemon"), mosquitto.port, root="thinkq").start()
    yield running
    running.stop()


def shell_blocks(path):
    return re.findall(r"```sh\n(.*?)```", path.read_text(), flags=re.DOTALL)


@pytest.fixture
def home(tmp_path, mosquitto):
    """A home in which Mosquitto's clients find this broker's port."""
    config = tmp_path / ".config"
    config.mkdir()
    for name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
        (config / name).write_text(f"-p {mosquitto.port}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "Why is the sky blue?"),
        (1, '"mode":"think"'),
        (2, "thinkq/reply/me/three/answer"),
        (3, '"status":"online"'),
        (4, ""),
    ],
)
def test_a_terminal_line_gets_what_it_asks_for(number, said, home, daemon):
    block = shell_blocks(EXAMPLES / "mosquitto" / "README.md")[number]
    done = subprocess.run(
        ["sh", "-c", block],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("python/ask.py", "What is 17 times 23?"),
        ("python/plain_mqtt.py", "Name three primes.\nfor the-42nd"),
    ],
)
def test_a_python_example_gets_its_answer(script, said, daemon):
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, "--port", str(daemon.port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_the_diagnosis_has_the_form_it_asks_for(tmp_path, smollm2, mosquitto):
    done = subprocess.run(
        [
            sys.executable,
            EXAMPLES / "factory" / "diagnose.py",
            "--port",
            str(mosquitto.port),
            "--root",
            smollm2.root,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"machine", "fault", "urgent"}


@pytest.fixture
def smollm2(tmp_path, mosquitto):
    """A daemon with the embedded model, where `make setup` put it."""
    from rig import Daemon

    from worker.engine import hub
    from worker.settings import load

    folder = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
    running = Daemon(tmp_path, mosquitto.port, config=f'[model]\npath = "{folder}"\n').start()
    yield running
    running.stop()


def topics_of(text):
    return set(re.findall(r"thinkq/[a-z]+(?:/[\w+#-]+)*", text))


@pytest.mark.parametrize(
    "path", [*EXAMPLES.rglob("*.yaml"), *EXAMPLES.rglob("*.json")], ids=lambda path: path.name
)
def test_an_example_names_only_topics_of_the_contract(path):
    contract = re.compile(
        r"thinkq/(request/[\w-]+(/(interactive|standard|batch))?|reply/[\w-]+|control/[\w-]+"
        r"|worker/[\w+-]+/(status|card|metrics))"
    )
    topics = topics_of(path.read_text())
    assert topics
    assert [topic for topic in topics if not contract.fullmatch(topic)] == []


class Tagged(yaml.SafeLoader):
    """Reads YAML with the tags of Home Assistant and ESPHome as plain text."""


Tagged.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


@pytest.mark.parametrize("path", [*EXAMPLES.rglob("*.yaml")], ids=lambda path: path.name)
def test_yaml_can_be_read(path):
    assert isinstance(yaml.load(path.read_text(), Tagged), dict)


def test_every_wire_of_the_node_red_flow_ends_somewhere():
    nodes = json.loads((EXAMPLES / "node-red" / "flow.json").read_text())
    names = {node["id"] for node in nodes}
    wired = {end for node in nodes for output in node.get("wires", []) for end in output}
    brokers = {node["broker"] for node in nodes if node["type"].startswith("mqtt ")}
    assert wired <= names
    assert brokers <= names


def test_the_requests_of_the_examples_are_accepted(daemon, wire_of):
    wire = wire_of(daemon, "homeassistant")
    reply = wire.ask(
        {
            "prompt": "Is the window open?",
            "session": "homeassistant",
            "deadline_ms": 20000,
            "metadata": {"speaker": "media_player.kitchen"},
        }
    )
    assert reply["metadata"] == {"speaker": "media_player.kitchen"}
