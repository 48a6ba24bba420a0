"""A TCP proxy before a broker that can cut a connection, swallow what it hears, or be slow."""

import selectors
import socket
import threading
import time


class Proxy:
    """Passes bytes on in both directions until it is told to misbehave."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Little room, so that a slow link is felt at its other end.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.port = self._listener.getsockname()[1]
        self._pairs = []
        self._swallowed = set()
        self._unheard = set()
        self._lock = threading.Lock()
        self.bytes_per_s = None
        self.accepted = threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Close all connections there are; new ones are passed on."""
        with self._lock:
            for pair in self._pairs:
                for one in pair:
                    one.close()
            self._pairs.clear()

    def swallow(self):
        """Say nothing more on the connections there are, and keep them open."""
        with self._lock:
            self._swallowed.update(self._pairs)

    def deafen(self):
        """Let the broker hear nothing more on the connections there are; it is still heard."""
        with self._lock:
            self._unheard.update(near for near, _ in self._pairs)

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            pair = (near, far)
            with self._lock:
                self._pairs.append(pair)
            threading.Thread(target=self._pass_on, args=(pair,), daemon=True).start()
            self.accepted.release()

    def _pass_on(self, pair):
        near, far = pair
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(near, selectors.EVENT_READ, far)
                selector.register(far, selectors.EVENT_READ, near)
                while all(one.fileno() >= 0 for one in pair):
                    for key, _ in selector.select(0.2):
                        self._move(key.fileobj, key.data, pair)
            except (OSError, ValueError, EOFError):
                near.close()
                far.close()

    def _move(self, source, target, pair):
        data = source.recv(4096 if self.bytes_per_s is None else 512)
        if not data:
            raise EOFError
        if pair in self._swallowed or source in self._unheard:
            return
        if self.bytes_per_s is not None:
            time.sleep(len(data) / self.bytes_per_s)
        target.sendall(data)
