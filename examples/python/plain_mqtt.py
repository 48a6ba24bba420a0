"""Ask with nothing but paho: what any MQTT 5 client in any language does.

python plain_mqtt.py [--host localhost] [--port 1883]
"""

import argparse
import json
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

parser = argparse.ArgumentParser()
parser.add_argument("--host", default="localhost")
parser.add_argument("--port", type=int, default=1883)
parser.add_argument("--root", default="thinkq")
arguments = parser.parse_args()

REPLY_TOPIC = f"{arguments.root}/reply/me/plain"
answered = threading.Event()


def on_connect(client, _userdata, _flags, _reason, _properties):
    """Subscribe on every connection: a broker may have lost the session."""
    client.subscribe(REPLY_TOPIC, qos=1)


def on_subscribe(client, _userdata, _mid, _reasons, _properties):
    """Ask once the reply can be heard."""
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = REPLY_TOPIC
    properties.CorrelationData = b"the-42nd"
    properties.ContentType = "application/json"
    # The id makes it safe to send again: the same id is never run twice.
    request = {"id": "the-42nd", "prompt": "Name three primes.", "deadline_ms": 60_000}
    client.publish(
        f"{arguments.root}/request/me", json.dumps(request), qos=1, properties=properties
    )


def on_message(_client, _userdata, message):
    """Print the final reply: an answer, or an error with its code."""
    reply = json.loads(message.payload)
    if reply["status"] == "ok":
        print(reply["content"])
    else:
        print(f"{reply['error']['code']}: {reply['error']['message']}")
    print("for", message.properties.CorrelationData.decode())
    answered.set()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect(arguments.host, arguments.port)
client.loop_start()
if not answered.wait(120):
    raise SystemExit("no reply in two minutes")
client.disconnect()
client.loop_stop()
