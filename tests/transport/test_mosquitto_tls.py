"""The deployment's encrypted listeners and certificates, with a whole daemon behind them."""

import ssl
import subprocess

import pytest
from deployment import DeployedMosquitto, make_certificate, make_passwords
from rig import Daemon

from worker.client import Client, NotConnected


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    for arguments in (
        ("broker", "broker.lan", "127.0.0.1"),
        ("client", "thinkq-worker"),
        ("client", "kitchen"),
    ):
        made = make_certificate(folder, *arguments)
        assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def broker(tmp_path_factory, certificates):
    folder = tmp_path_factory.mktemp("broker")
    passwords = make_passwords(folder / "passwords", "thinkq-worker", "kitchen")
    running = DeployedMosquitto(folder, folder / "passwords", certificates).start()
    running.passwords = passwords
    yield running
    running.stop()


def context(certificates, name=None):
    made = ssl.create_default_context(cafile=certificates / "ca.crt")
    if name is not None:
        made.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return made


@pytest.fixture(params=["password", "certificate"])
def daemon(request, tmp_path, broker, certificates, monkeypatch):
    """A daemon that comes in over TLS, in both ways."""
    tls = f'[broker.tls]\nenabled = true\nca_file = "{certificates}/ca.crt"\n'
    port = broker.password_port
    if request.param == "password":
        secret = tmp_path / "password"
        secret.touch(0o600)
        secret.write_text(broker.passwords["thinkq-worker"])
        monkeypatch.setenv("THINKQ_BROKER__USERNAME", "thinkq-worker")
        monkeypatch.setenv("THINKQ_BROKER__PASSWORD_FILE", str(secret))
    else:
        port = broker.certificate_port
        tls += f'cert_file = "{certificates}/thinkq-worker.crt"\n'
        tls += f'key_file = "{certificates}/thinkq-worker.key"\n'
    running = Daemon(tmp_path, port, root="thinkq", config=f'[model]\nname = "stub"\n{tls}')
    running.start(wait=False)
    yield running
    running.stop()


def test_a_daemon_answers_over_tls(daemon, broker, certificates):
    with Client(
        "127.0.0.1", broker.certificate_port, name="kitchen", tls=context(certificates, "kitchen")
    ) as client:
        client.wait_for_worker(30)
        assert client.ask("hello", timeout_s=20).content == "hello"


def test_nobody_comes_in_without_a_certificate_where_one_is_asked_for(broker, certificates):
    stranger = Client("127.0.0.1", broker.certificate_port, tls=context(certificates))
    with pytest.raises(NotConnected), stranger:
        pass


def test_a_certificate_of_another_authority_is_not_taken(broker, certificates, tmp_path):
    make_certificate(tmp_path, "client", "kitchen")
    forged = ssl.create_default_context(cafile=certificates / "ca.crt")
    forged.load_cert_chain(tmp_path / "kitchen.crt", tmp_path / "kitchen.key")
    with pytest.raises(NotConnected), Client("127.0.0.1", broker.certificate_port, tls=forged):
        pass


def test_the_encrypted_port_wants_a_password_too(broker, certificates):
    with (
        pytest.raises(NotConnected),
        Client("127.0.0.1", broker.password_port, tls=context(certificates)),
    ):
        pass


def test_a_certificate_holds_for_every_name_it_was_made_for(certificates):
    shown = subprocess.run(
        ["openssl", "x509", "-in", certificates / "broker.lan.crt", "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "DNS:broker.lan, IP Address:127.0.0.1" in shown


def test_keys_are_for_their_owner_only(certificates):
    keys = list(certificates.glob("*.key"))
    assert len(keys) == 4
    assert all(key.stat().st_mode & 0o077 == 0 for key in keys)


@pytest.mark.parametrize(
    "arguments", [(), ("server", "x"), ("client", "a b"), ("client", "a", "b"), ("broker", "-x")]
)
def test_what_it_does_not_understand_is_refused(arguments, tmp_path):
    assert make_certificate(tmp_path, *arguments).returncode == 2
