"""Ask with thinkq's own client: once for the whole answer, once as it streams.

python ask.py [--host localhost] [--port 1883]
"""

import argparse

from worker import Client
from worker.domain.messages import Kind, Reply, StreamPart

parser = argparse.ArgumentParser()
parser.add_argument("--host", default="localhost")
parser.add_argument("--port", type=int, default=1883)
parser.add_argument("--root", default="thinkq")
arguments = parser.parse_args()

with Client(arguments.host, arguments.port, root=arguments.root, name="me") as client:
    reply = client.ask("What is 17 times 23?", mode="think", thinking_budget=300)
    print(f"{reply.mode.value}, because: {reply.route.reason}")
    print(reply.content)

    for event in client.stream("Tell me about lighthouses.", lane="interactive", max_tokens=60):
        if isinstance(event, StreamPart) and event.kind is Kind.ANSWER:
            print(event.text, end="", flush=True)
        elif isinstance(event, Reply):
            print(f"\n{event.usage.completion_tokens} tokens in {event.timing.total_ms} ms")
