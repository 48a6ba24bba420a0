"""TLS that is wrong: each fault is said in words with what to do, nothing goes out in plain, and
the connection comes by itself when it is put right (row 35 of docs/reliability.md).
"""

import asyncio
import select
import shutil
import socket
import ssl
import subprocess
import threading
from types import SimpleNamespace

import pytest
from deployment import make_certificate
from exchange import wait_in_log
from paho.mqtt import client as mqtt
from rig import Daemon, Mosquitto, free_port
from structlog.testing import capture_logs

from worker.client import Client, NotConnected
from worker.doctor import broker as doctor
from worker.doctor.finding import Level
from worker.settings import Settings
from worker.transport import retry
from worker.transport.faults import of_attempt, of_silence
from worker.transport.options import BrokerOptions, TlsOptions
from worker.transport.paho_client import make_client

TLS_HANDSHAKE = 0x16
"""The first byte of whoever speaks TLS (RFC 8446, 5.1); MQTT's CONNECT begins with 0x10."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """The authority of a LAN, and one that nobody knows; certificates good and bad."""
    folder = tmp_path_factory.mktemp("pki")
    for kind, *names in (
        ("broker", "broker.lan", "127.0.0.1"),
        ("broker", "elsewhere.lan"),
        ("client", "worker"),
        ("client", "revoked"),
    ):
        made = make_certificate(folder, kind, *names)
        assert made.returncode == 0, made.stderr
    made = make_certificate(folder / "stranger", "client", "worker")
    assert made.returncode == 0, made.stderr
    sign_again(folder, "broker.lan", "expired.lan", days=-1)
    sign_again(folder, "worker", "expired", days=-1)
    revoke(folder, "revoked")
    return folder


def sign_again(folder, name, as_name, *, days):
    """Make a certificate like another one that lasts for so many days."""
    shutil.copy(folder / f"{name}.key", folder / f"{as_name}.key")
    request = folder / f"{as_name}.csr"
    (folder / "names").write_text("subjectAltName = DNS:broker.lan, IP:127.0.0.1\n")
    openssl("req", "-new", "-key", folder / f"{name}.key", "-subj", "/CN=x", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
            "-set_serial", "7", "-days", days, "-extfile", folder / "names",
            "-out", folder / f"{as_name}.crt")  # fmt: skip


def revoke(folder, name):
    (folder / "index.txt").touch()
    (folder / "ca.conf").write_text(
        f"[ca]\ndefault_ca = lan\n[lan]\ndatabase = {folder}/index.txt\ndefault_md = sha256\n"
        f"default_crl_days = 30\ncertificate = {folder}/ca.crt\nprivate_key = {folder}/ca.key\n"
    )
    openssl("ca", "-config", folder / "ca.conf", "-revoke", folder / f"{name}.crt")
    openssl("ca", "-config", folder / "ca.conf", "-gencrl", "-out", folder / "crl.pem")


def openssl(*arguments):
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def broker(tmp_path):
    """A broker on one port that is set up anew: `broker(*lines)`."""
    running = SimpleNamespace(port=free_port(), broker=None)
    folder = tmp_path / "broker"
    folder.mkdir()

    def set_up(*lines):
        if running.broker is not None:
            running.broker.stop()
        running.broker = Mosquitto(folder, running.port, lines=lines).start()
        return running.port

    yield set_up
    running.broker.stop()


def shows(pki, name="broker.lan"):
    """Return the lines of a broker with this certificate."""
    return f"certfile {pki}/{name}.crt", f"keyfile {pki}/{name}.key"


def wants_one(pki):
    return (
        *shows(pki),
        f"cafile {pki}/ca.crt",
        "require_certificate true",
        f"crlfile {pki}/crl.pem",
    )


def trusting(pki):
    return TlsOptions(ca_file=str(pki / "ca.crt"))


@pytest.fixture
def said(connect):
    """Try to connect and return the first line that says why it does not work."""

    async def said(port, **options):
        options.setdefault("wait", False)
        with capture_logs() as logs:
            connection, _ = await connect(port, **options)
            await until(lambda: logs)
        assert logs[0]["event"] == "broker_away"
        assert not connection.connected
        return connection, f"{logs[0]['reason']} -> {logs[0].get('hint')}"

    return said


async def until(condition):
    """Wait for what has no event to wait for: a log, a thread."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


async def connects(connection):
    await asyncio.wait_for(connection.wait_connected(), 20)


THEIRS = {
    "expired": ("expired.lan", "certificate has expired", "renew the certificate on the broker"),
    "of another name": ("elsewhere.lan", "not valid for '127.0.0.1'", "broker.tls.server_name"),
}


@pytest.mark.parametrize("case", THEIRS)
async def test_a_brokers_certificate_that_is_wrong_is_said_and_tried_again(case, pki, broker, said):
    name, reason, advice = THEIRS[case]
    connection, words = await said(broker(*shows(pki, name)), tls=trusting(pki))
    assert reason in words
    assert advice in words
    broker(*shows(pki))
    await connects(connection)


@pytest.mark.parametrize("authority", ["another one", "the system's"])
async def test_an_authority_that_nobody_knows_is_said(authority, pki, broker, said):
    tls = TlsOptions(ca_file=str(pki / "stranger" / "ca.crt"))
    if authority == "the system's":
        tls = TlsOptions()
    _, words = await said(broker(*shows(pki)), tls=tls)
    assert "certificate is not taken" in words
    assert "set broker.tls.ca_file" in words


async def test_the_authority_may_be_put_right_here_without_a_restart(pki, broker, said, tmp_path):
    shutil.copy(pki / "stranger" / "ca.crt", tmp_path / "ca.crt")
    tls = TlsOptions(ca_file=str(tmp_path / "ca.crt"))
    connection, _ = await said(broker(*shows(pki)), tls=tls)
    shutil.copy(pki / "ca.crt", tmp_path / "ca.crt")
    await connects(connection)


async def test_files_that_are_gone_are_said_and_waited_for(pki, broker, connect, tmp_path):
    shutil.copy(pki / "ca.crt", tmp_path / "ca.crt")
    port = broker(*shows(pki))
    connection, ear = await connect(port, tls=TlsOptions(ca_file=str(tmp_path / "ca.crt")))
    await ear.state(connected=True)
    (tmp_path / "ca.crt").unlink()
    with capture_logs() as logs:
        connection._client.socket().shutdown(socket.SHUT_RDWR)
        await until(lambda: [line for line in logs if "can't be used" in line["reason"]])
    shutil.copy(pki / "ca.crt", tmp_path / "ca.crt")
    await ear.state(connected=True)


OURS = {
    "revoked": ("revoked", "it is revoked"),
    "expired": ("expired", "it has expired"),
    "of an authority that the broker does not know": ("stranger/worker", "does not take our"),
}


@pytest.mark.parametrize("case", OURS)
async def test_a_certificate_of_ours_that_is_not_taken_is_said(case, pki, broker, said, tmp_path):
    name, reason = OURS[case]
    connection, words = await said(broker(*wants_one(pki)), tls=coming_with(pki, name, tmp_path))
    assert reason in words
    assert "broker.tls.cert_file" in words
    coming_with(pki, "worker", tmp_path)
    await connects(connection)


def test_a_no_that_comes_before_our_first_word_is_heard(pki, broker, tmp_path, monkeypatch):
    send = mqtt.Client._sock_send

    def late(client, packet):
        gone = select.poll()
        gone.register(client.socket(), 0)  # nothing but that the broker has hung up
        gone.poll(20_000)
        return send(client, packet)

    monkeypatch.setattr(mqtt.Client, "_sock_send", late)
    options = BrokerOptions(port=broker(*wants_one(pki)), tls=coming_with(pki, "expired", tmp_path))
    client = make_client(options, None)
    client.connect_async(options.host, options.port)
    # Without its thread paho writes at once, where with it what is there may be read first.
    client.reconnect()
    assert "it has expired" in of_silence(client.take_broken_by(), encrypted=True).reason


def coming_with(pki, name, folder):
    """Return what to come with: a certificate that is put into a folder, over what is there."""
    for end in ("crt", "key"):
        shutil.copy(pki / f"{name}.{end}", folder / f"own.{end}")
    own = {"cert_file": str(folder / "own.crt"), "key_file": str(folder / "own.key")}
    return TlsOptions(ca_file=str(pki / "ca.crt"), **own)


MISSING = {"1.3": "wants a certificate of us", "1.2": "ended the TLS handshake"}


@pytest.mark.parametrize("version", MISSING)
async def test_a_certificate_of_ours_that_is_missing_is_said(
    version, pki, broker, said, monkeypatch
):
    read = TlsOptions.read

    def older(options):
        context = read(options)
        context.maximum_version = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
        return context

    monkeypatch.setattr(TlsOptions, "read", older)
    connection, words = await said(broker(*wants_one(pki)), tls=trusting(pki))
    assert MISSING[version] in words
    assert "et broker.tls.cert_file and broker.tls.key_file" in words
    broker(*shows(pki))
    await connects(connection)


async def test_a_port_without_tls_is_said(broker, pki, said):
    connection, words = await said(broker(), tls=trusting(pki))
    assert "speaks no TLS" in words
    assert "never falls back to plain" in words
    broker(*shows(pki))
    await connects(connection)


@pytest.fixture
def listener():
    """A port where one listens who does as told: `port, heard = listener(answer)`."""
    server = socket.create_server(("127.0.0.1", 0))
    heard, open_ones = [], []

    def listen(answer):
        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                open_ones.append(peer)
                heard.append(peer.recv(4096))
                if answer is not None:
                    peer.sendall(answer)
                    peer.close()

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1], heard

    yield listen
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for peer in open_ones:
        peer.close()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x00", b"SSH-2.0-OpenSSH_9.9\r\n", b""],
    ids=["http", "mqtt", "ssh", "nothing"],
)
async def test_whatever_listens_there_nothing_goes_out_in_plain(answer, listener, said):
    port, heard = listener(answer)
    _, words = await said(
        port, tls=TlsOptions(), username="worker", password="quetzalcoatl", client_id="w1"
    )
    assert "speaks no TLS" in words
    await until(lambda: len(heard) >= 3)
    assert [hello for hello in heard if hello[:1] != bytes([TLS_HANDSHAKE])] == []
    assert [hello for hello in heard if b"quetzalcoatl" in hello] == []


async def test_a_port_that_says_nothing_is_not_waited_for_for_ever(listener, said):
    port, heard = listener(None)
    _, words = await said(port, tls=TlsOptions(), connect_timeout_s=0.5)
    assert "did not answer in TLS in time" in words
    await until(lambda: len(heard) >= 2)


async def test_a_port_for_tls_that_is_spoken_to_in_plain_is_said(broker, pki, said):
    connection, words = await said(broker(*shows(pki)))
    assert "hung up without an answer" in words
    assert "set broker.tls.enabled = true" in words
    broker()
    await connects(connection)


async def test_a_password_may_be_put_right_here_without_a_restart(
    broker, pki, said, tmp_path, monkeypatch
):
    monkeypatch.setattr(retry, "_LAST_S", 0.2)
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    set_password(passwords, "right")
    port = broker(*shows(pki), "allow_anonymous false", f"password_file {passwords}")
    kept = {"password": "wrong"}
    connection, words = await said(
        port, tls=trusting(pki), username="worker", password="wrong",
        ask_password=lambda: kept["password"],
    )  # fmt: skip
    assert "check broker.username and broker.password" in words
    kept["password"] = "right"
    await connects(connection)


async def test_a_password_that_can_not_be_read_leaves_the_former_one(
    broker, pki, connect, tmp_path
):
    def refuses():
        raise PermissionError("others may read it")

    with capture_logs() as logs:
        await connect(
            broker(*shows(pki)), tls=trusting(pki), username="worker", password="right",
            ask_password=refuses,
        )  # fmt: skip
    assert [line["why"] for line in logs if line["event"] == "password_not_read"] == [
        "others may read it"
    ]


def set_password(file, password):
    """Set a password with Mosquitto's own command."""
    subprocess.run(
        ["mosquitto_passwd", "-b", file, "worker", password], check=True, capture_output=True
    )


async def test_a_name_that_can_be_none_is_said_and_does_not_end_all_tries(said):
    connection, words = await said(1883, host="a..b", tls=TlsOptions())
    assert "label" in words
    assert connection._client._thread.is_alive()


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", "no version of TLS that is safe"),
        ("TLSV1_UNRECOGNIZED_NAME", ""),
        ("TLSV1_ALERT_UNRECOGNIZED_NAME", "no certificate for the name"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "does not take our certificate"),
        ("TLSV1_ALERT_INTERNAL_ERROR", "the broker ended TLS: INTERNAL_ERROR"),
    ],
)
def test_every_word_of_the_broker_is_passed_on(alert, words):
    error = ssl.SSLError(1, f"[SSL: {alert}] something")
    error.reason = alert
    assert words in of_attempt(error, encrypted=True).reason


# What the commands and a whole daemon say of it.


def examined(port, **tls):
    settings = Settings(broker={"host": "127.0.0.1", "port": port, "tls": {"enabled": True, **tls}})
    return next(iter(doctor.broker(settings)))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (lambda pki: shows(pki, "expired.lan"), ("has expired", "renew the certificate")),
        (lambda pki: shows(pki, "elsewhere.lan"), ("not valid for", "broker.tls.server_name")),
        (wants_one, ("wants a certificate of us", "broker.tls.cert_file")),
        (lambda _pki: (), ("speaks no TLS", "8883")),
    ],
    ids=["expired", "other name", "wants a certificate", "no TLS"],
)
def test_the_doctor_names_the_same_fault_and_cure(lines, words, pki, broker, monkeypatch):
    # How soon a broker says no is not what is asked here.
    monkeypatch.setattr(doctor, "_ALERT_S", 20.0)
    found = examined(broker(*lines(pki)), ca_file=pki / "ca.crt")
    assert found.level is Level.PROBLEM
    assert words[0] in found.said
    assert words[1] in found.cure


def test_the_doctor_finds_a_port_for_tls_that_is_spoken_to_in_plain(pki, broker):
    settings = Settings(broker={"host": "127.0.0.1", "port": broker(*shows(pki))})
    found = next(iter(doctor.broker(settings)))
    assert found.level is Level.PROBLEM
    assert "broker.tls.enabled = true" in found.cure


def test_a_client_is_told_at_once_that_its_certificate_is_missing(pki, broker):
    port = broker(*wants_one(pki))
    tls = ssl.create_default_context(cafile=pki / "ca.crt")
    with pytest.raises(NotConnected), Client("127.0.0.1", port, tls=tls):
        pass


def test_a_daemon_waits_for_a_broker_to_be_put_right_and_then_answers(pki, broker, tmp_path):
    port = broker(*shows(pki, "expired.lan"))
    (tmp_path / "daemon").mkdir()
    tls = f"[broker.tls]\nenabled = true\nca_file = '{pki}/ca.crt'\n"
    daemon = Daemon(tmp_path / "daemon", port, config=f'[model]\nname = "stub"\n{tls}')
    daemon.start(wait=False)
    try:
        wait_in_log(daemon, '"broker_away"', "has expired", "renew the certificate on the broker")
        broker(*shows(pki))
        wait_in_log(daemon, '"broker_connected"')
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        with Client("127.0.0.1", port, tls=context, root=daemon.root) as client:
            client.wait_for_worker(20)
            assert client.ask("hello", timeout_s=20).content == "hello"
    finally:
        daemon.stop()
