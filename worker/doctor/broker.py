"""Checks of the broker, as a client meets it: the address, the certificate, the password."""

from __future__ import annotations

import contextlib
import getpass
import socket
import ssl
import time
from typing import TYPE_CHECKING

from worker.client import Client, NotConnected
from worker.doctor.finding import Finding, ok, problem, warning
from worker.transport.faults import of_attempt, of_silence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.settings import Settings

CONNECT_TIMEOUT_S = 5.0
CERTIFICATE_DAYS = 14
"""A certificate that ends sooner is said."""

STATUS_TIMEOUT_S = 1.0
_ALERT_S = 0.5
_DAY_S = 86_400


def broker(settings: Settings) -> Iterator[Finding]:
    """Check that the broker is there, is the right one, lets us in, and who answers behind it."""
    wanted = settings.broker
    where = f"{wanted.host}:{wanted.port}"
    try:
        with socket.create_connection((wanted.host, wanted.port), CONNECT_TIMEOUT_S) as plain:
            certificate = _certificate(settings, plain)
    except (OSError, UnicodeError) as error:
        fault = of_attempt(error, encrypted=wanted.tls.enabled)
        if wanted.embedded != "off" and not isinstance(error, ssl.SSLError):
            yield ok("broker", f"embedded, started with the worker on {where}")
        else:
            yield problem(
                "broker", f"{where}: {fault.reason}", fault.advice or _network_cure(error)
            )
        return
    if certificate is not None:
        yield _lasting(certificate)
    if wanted.protocol == "5":
        yield from _behind(settings, where)
    else:
        yield ok("broker", f"{where} accepts connections (MQTT 3.1.1: no login was tried)")


def _certificate(settings: Settings, plain: socket.socket) -> dict[str, object] | None:
    tls = settings.tls_options()
    if tls is None:
        return None
    with tls.context().wrap_socket(plain, server_hostname=settings.broker.host) as encrypted:
        found: dict[str, object] | None = encrypted.getpeercert()  # type: ignore[assignment]
        # With TLS 1.3 a no to our certificate comes after the handshake; a yes is silence.
        encrypted.settimeout(_ALERT_S)
        with contextlib.suppress(TimeoutError):
            encrypted.recv(1)
        return found


def _lasting(certificate: dict[str, object]) -> Finding:
    left_s = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
    said = f"the broker's certificate ends in {left_s / _DAY_S:.0f} days"
    if left_s < CERTIFICATE_DAYS * _DAY_S:
        return warning("certificate", said, "renew it on the broker")
    return ok("certificate", said)


def _behind(settings: Settings, where: str) -> Iterator[Finding]:
    client = Client(
        settings.broker.host,
        settings.broker.port,
        username=settings.broker.username,
        password=settings.broker_password(),
        tls=settings.tls_options(),
        root=settings.topics.root,
        name=settings.broker.username or getpass.getuser(),
    )
    try:
        with client:
            yield ok("broker", f"{where} lets us in")
            workers = client.worker_status(timeout_s=STATUS_TIMEOUT_S)
    except NotConnected as error:
        cure = "check broker.username and its password"
        if error.was_silent:
            cure = of_silence(encrypted=settings.broker.tls.enabled).advice or cure
        yield problem("broker", str(error), cure)
        return
    told = ", ".join(f"{name} is {status.get('status')}" for name, status in workers.items())
    yield ok("workers", told or "none has been here yet: thinkq run")


def _network_cure(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "start the broker, or set broker.port; thinkq run --embedded brings its own"
    return "check broker.host and firewalls; macOS also asks for Local Network access"
