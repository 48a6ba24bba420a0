"""A machine's readings in, a diagnosis of a fixed form out: valid JSON or an error, never else.

    python diagnose.py [--host localhost] [--port 1883]

`context` holds what changes with every request, apart from the question, so that the question's
part of the prompt stays in the cache. The lane is `standard`: a voice command overtakes it. What
can't be answered before the deadline is refused at once, with `deadline_unreachable`.
"""

import argparse
import json
import sys

from worker import Client
from worker.client import ReplyError

READINGS = [
    {"machine": "press-1", "temperature_c": 61, "limit_c": 80, "vibration_mm_s": 1.9},
    {"machine": "press-2", "temperature_c": 93, "limit_c": 80, "vibration_mm_s": 2.2},
    {"machine": "mill-3", "temperature_c": 58, "limit_c": 75, "vibration_mm_s": 2.0},
]

DIAGNOSIS = {
    "type": "object",
    "properties": {
        "machine": {"enum": [reading["machine"] for reading in READINGS]},
        "fault": {"type": "string", "maxLength": 60},
        "urgent": {"type": "boolean"},
    },
    "required": ["machine", "fault", "urgent"],
    "additionalProperties": False,
}

parser = argparse.ArgumentParser()
parser.add_argument("--host", default="localhost")
parser.add_argument("--port", type=int, default=1883)
parser.add_argument("--root", default="thinkq")
arguments = parser.parse_args()

with Client(arguments.host, arguments.port, root=arguments.root, name="line-4") as client:
    try:
        reply = client.ask(
            "Which machine is over its limit, and what is wrong with it?",
            id="line-4-shift-17",
            context={"readings": READINGS},
            response_format={"type": "json_schema", "json_schema": {"schema": DIAGNOSIS}},
            thinking_budget=80,
            deadline_ms=60_000,
        )
    except ReplyError as error:
        sys.exit(f"{error.code}: {error.message}")
print(json.dumps(json.loads(reply.content), indent=1))
