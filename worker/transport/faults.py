"""What is wrong with a connection that did not come about, in words, and what to do about it."""

from __future__ import annotations

import socket
import ssl
from typing import NamedTuple


class Fault(NamedTuple):
    """What a person is told."""

    reason: str
    advice: str | None = None


_EXPIRED, _NOT_YET_VALID, _REVOKED = 10, 9, 23
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}
"""OpenSSL's numbers, `X509_V_ERR_…` in x509_vfy.h."""

_OUR_CERTIFICATE = "renew broker.tls.cert_file and broker.tls.key_file"
_ALERTS = {
    "CERTIFICATE_REQUIRED": Fault(
        "the broker wants a certificate of us", "set broker.tls.cert_file and broker.tls.key_file"
    ),
    "CERTIFICATE_REVOKED": Fault(
        "the broker does not take our certificate: it is revoked", _OUR_CERTIFICATE
    ),
    "CERTIFICATE_EXPIRED": Fault(
        "the broker does not take our certificate: it has expired", _OUR_CERTIFICATE
    ),
    "UNKNOWN_CA": Fault(
        "the broker does not take our certificate: it does not know its authority",
        "have broker.tls.cert_file signed by an authority that the broker trusts",
    ),
    "CERTIFICATE_UNKNOWN": Fault("the broker does not take our certificate", _OUR_CERTIFICATE),
    "BAD_CERTIFICATE": Fault("the broker does not take our certificate", _OUR_CERTIFICATE),
    "HANDSHAKE_FAILURE": Fault(
        "the broker ended the TLS handshake",
        "does it want a certificate? Set broker.tls.cert_file and broker.tls.key_file; "
        "its log says more",
    ),
    "PROTOCOL_VERSION": Fault(
        "the broker speaks no version of TLS that is safe", "let it speak TLS 1.2 or 1.3"
    ),
    "UNRECOGNIZED_NAME": Fault(
        "the broker has no certificate for the name it was asked for",
        "set broker.tls.server_name to the name on its certificate",
    ),
}
"""What the broker says before it hangs up, by the end of OpenSSL's name for it (RFC 8446, 6.2)."""

_NO_TLS = Fault(
    "what listens on that port speaks no TLS",
    "set broker.port to the broker's port for TLS, mostly 8883; thinkq never falls back to plain",
)
_SILENT = Fault(
    "what listens on that port did not answer in TLS in time",
    "set broker.port to the broker's port for TLS, mostly 8883, and look whether it hangs",
)
_HUNG_UP_ON_TLS = Fault(
    "the broker hung up without an answer",
    "its log says why; does it want a certificate (broker.tls.cert_file and broker.tls.key_file)?",
)
_HUNG_UP_ON_PLAIN = Fault(
    "the broker hung up without an answer",
    "if that is its port for TLS, set broker.tls.enabled = true; else its log says why",
)


def of_attempt(error: BaseException | None, *, encrypted: bool) -> Fault:
    """Explain why no connection came about, or why TLS ended it.

    Args:
        error: What was raised.
        encrypted: Whether TLS was to be spoken.

    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_their_certificate(error)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if encrypted and isinstance(error, TimeoutError) and "handshake" in str(error):
        return _SILENT
    if encrypted and isinstance(error, ConnectionResetError | BrokenPipeError):
        return _NO_TLS
    return Fault(str(error) or type(error).__name__, _of_the_network(error))


def of_silence(broken_by: ssl.SSLError | None = None, *, encrypted: bool) -> Fault:
    """Explain a connection that the broker ended before it said a word of MQTT.

    Args:
        broken_by: What TLS said of it, if anything.
        encrypted: Whether TLS is spoken.

    """
    if broken_by is not None and "ALERT" in (broken_by.reason or ""):
        return _of_tls(broken_by)
    return _HUNG_UP_ON_TLS if encrypted else _HUNG_UP_ON_PLAIN


def _of_their_certificate(error: ssl.SSLCertVerificationError) -> Fault:
    code, said = error.verify_code, error.verify_message.rstrip(".")
    reason = f"the broker's certificate is not taken: {said}"
    if code == _EXPIRED:
        return Fault(reason, "renew the certificate on the broker; is this machine's clock right?")
    if code == _NOT_YET_VALID:
        return Fault(reason, "is this machine's clock right?")
    if code == _REVOKED:
        return Fault(reason, "give the broker a new certificate")
    if code in _OTHER_NAME:
        advice = "set broker.host, or broker.tls.server_name, to a name that is on it"
        return Fault(reason, advice)
    if code in _UNKNOWN_AUTHORITY:
        return Fault(reason, "set broker.tls.ca_file to the authority that signed it")
    return Fault(reason, "look at it: openssl s_client -connect HOST:PORT -showcerts")


def _of_tls(error: ssl.SSLError) -> Fault:
    name = error.reason or ""
    if "ALERT" in name:
        for end, fault in _ALERTS.items():
            if name.endswith(end):
                return fault
        return Fault(f"the broker ended TLS: {name.rpartition('ALERT_')[2]}", "its log says more")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or name in {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "UNEXPECTED_EOF_WHILE_READING",
    }:
        return _NO_TLS
    if name == "UNSUPPORTED_PROTOCOL":
        return _ALERTS["PROTOCOL_VERSION"]
    return Fault(str(error))


def _of_the_network(error: BaseException | None) -> str | None:
    if isinstance(error, socket.gaierror):
        return "check broker.host: no such name is known here"
    if isinstance(error, ConnectionRefusedError):
        return "start the broker, or set broker.port"
    return None
