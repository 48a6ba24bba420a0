"""A hub of models on loopback that speaks as much of the Hugging Face Hub's HTTP as a fetch needs.

It notes what it was asked for.
"""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LocalHub:
    """Serves one model's files, a dict of bytes by name, as `owner/model`."""

    def __init__(self, files, *, name="owner/model"):
        self.files = dict(files)
        self.promised = dict(files)
        self.name = name
        self.commit = COMMIT
        self.asked = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def do_GET(self):
                hub.asked.append((self.path, self.headers.get("Range")))
                if self.path.startswith(f"/api/models/{hub.name}"):
                    self.answer(json.dumps(hub.listing()).encode(), "application/json")
                elif self.path.startswith(f"/{hub.name}/resolve/{hub.commit}/"):
                    self.file(self.path.rpartition("/")[2])
                else:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "RepoNotFound")
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def answer(self, body, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def file(self, name):
                body = hub.files[name]
                begin = 0
                if self.headers.get("Range"):
                    begin = int(self.headers["Range"].removeprefix("bytes=").partition("-")[0])
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(body) - begin))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body[begin:])

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def listing(self):
        siblings = []
        for name, body in self.promised.items():
            blob = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False)
            sibling = {"rfilename": name, "size": len(body), "blobId": blob.hexdigest()}
            if name.endswith((".safetensors", ".bin")):
                digest = hashlib.sha256(body).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(body), "pointerSize": 134}
            siblings.append(sibling)
        return {"_id": "1", "id": self.name, "sha": self.commit, "siblings": siblings}

    def fetched(self):
        """Return the names of the files that were asked for, in order."""
        return [path.rpartition("/")[2] for path, _ in self.asked if "/resolve/" in path]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
