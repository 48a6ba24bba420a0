"""How to reach a broker, as plain values; imports nothing of ours."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable


class TlsOptions(Struct, frozen=True, kw_only=True):
    """TLS to the broker; its certificate and its name are always checked, its files read each time.

    Without `ca_file` the system's authorities are trusted. `cert_file` and `key_file` are the
    worker's own, where the broker asks for one. `server_name` is the name on the broker's
    certificate when it is reached by another, an address for instance.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files, and return the context to connect with, which will read them again.

        Raises:
            OSError: A file is missing, unreadable or not what it should be.

        """
        self.read()
        context = _FreshContext(ssl.PROTOCOL_TLS_CLIENT)
        context.options_of_broker = self
        return context

    def read(self) -> ssl.SSLContext:
        """Return a context of what the files hold now.

        Raises:
            OSError: As for `context`.

        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


class BrokerOptions(Struct, frozen=True, kw_only=True):
    """Where the broker is, who we are there, and what the connection may hold.

    `session_expiry_s` is how long the broker keeps our subscriptions and messages while we are
    away; 0 asks for a clean start each time. `receive_maximum` bounds the requests the broker
    sends before we acknowledge, `max_in_flight` the replies we send before it does (its own
    limit counts too). Neither exists in MQTT 3.1.1, where the broker's configuration decides.
    `ask_password` is asked before each connection, on the network thread.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    client_id: str = ""
    username: str | None = None
    password: str | None = None
    ask_password: Callable[[], str | None] | None = None
    keepalive_s: int = 30
    session_expiry_s: int = 24 * 3600
    receive_maximum: int = 1000
    max_in_flight: int = 1000
    maximum_packet_bytes: int = 32 * 1024 * 1024
    tls: TlsOptions | None = None
    connect_timeout_s: float = 5.0


class _FreshContext(ssl.SSLContext):
    """A client's context that reads its files anew for each connection.

    A certificate that was renewed counts from the next connection on. The name expected is the
    one it was told, not the address connected to.
    """

    options_of_broker: TlsOptions

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        options = self.options_of_broker
        try:
            context = options.read()
        except OSError as error:
            raise OSError(f"the files of broker.tls can't be used: {error}") from error
        if options.server_name is not None:
            kwargs["server_hostname"] = options.server_name
        return context.wrap_socket(*args, **kwargs)
