"""mlx_lm.server as the peer of benches: on the same weights and BLAS, spoken to over HTTP."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

START = """
import sys
from worker.engine import blas
blas.prepare()
from mlx_lm.server import main
main()
"""
START_S = 120


class HttpPeer:
    """A running mlx_lm.server."""

    def __init__(self, model_path: Path, port: int) -> None:
        self.port = port
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, "--model", str(model_path), "--port", str(port),
             "--log-level", "ERROR"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.stream({"prompt": "hello", "max_tokens": 1})
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                return

    def stream(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """Return how many tokens came back, and when each piece of text did, in seconds from now.

        Args:
            request: `prompt`, `max_tokens`, and how to sample; not thought about.

        """
        begun = time.perf_counter()
        fields = {name: value for name, value in request.items() if name != "prompt"}
        body = {
            "messages": [{"role": "user", "content": request["prompt"]}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "chat_template_kwargs": {"enable_thinking": False},
            **fields,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("POST", "/v1/chat/completions", json.dumps(body),
                           {"Content-Type": "application/json"})  # fmt: skip
        heard, tokens = [], 0
        with connection.getresponse() as response:
            for line in response:
                if not line.startswith(b"data: {"):
                    continue
                chunk = json.loads(line[6:])
                if chunk.get("usage"):
                    tokens = chunk["usage"]["completion_tokens"]
                if any(choice["delta"].get("content") for choice in chunk["choices"]):
                    heard.append(time.perf_counter() - begun)
        connection.close()
        return tokens, heard

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
