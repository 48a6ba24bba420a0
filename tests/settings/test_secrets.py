"""Secrets in files: taken from one that is its owner's alone, refused from any other."""

import os
import stat

import pytest

from worker.settings import Settings, SettingsError, load
from worker.settings_secrets import check_private, read_secret

NOBODY = 65_534


@pytest.fixture
def secret(tmp_path):
    """A file with a password, as it should be."""
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text("hunter2\n")
    return path


@pytest.fixture
def file(tmp_path):
    """Write a settings file of a mode."""

    def write(text, mode=0o600):
        path = tmp_path / "thinkq.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def refusal(secret, **options):
    with pytest.raises(SettingsError) as caught:
        read_secret("broker.password_file", secret, **options)
    said = str(caught.value)
    assert said.startswith("broker.password_file: ")
    assert "hunter2" not in said
    return said


def test_a_password_comes_from_a_file_that_is_its_owners_alone(file, secret):
    settings = load(file(f"[broker]\npassword_file = '{secret}'\n", 0o644), environment={})
    assert settings.broker_password() == "hunter2"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_its_owner_may_do_with_it_what_they_like(secret, mode):
    secret.chmod(mode)
    assert read_secret("it", secret) == "hunter2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601, 0o660])
def test_a_file_that_others_have_any_right_to_is_refused_with_its_mode(secret, mode):
    secret.chmod(mode)
    said = refusal(secret)
    assert f"mode {mode:04o}, expected 0600" in said
    assert f"chmod 600 {secret}" in said


def test_a_link_to_it_is_as_good_as_what_it_leads_to(secret, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(secret)
    assert read_secret("it", link) == "hunter2"
    secret.chmod(0o644)
    assert "0644" in refusal(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(secret):
    os.chown(secret, NOBODY, NOBODY)
    assert f"belongs to user {NOBODY}" in refusal(secret)


def test_roots_files_are_taken_from_any_user(secret, monkeypatch):
    owner = secret.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    if owner == 0:
        assert read_secret("it", secret) == "hunter2"
    else:
        assert f"belongs to user {owner}" in refusal(secret)


@pytest.mark.skipif(os.geteuid() != 0, reason="systemd's credentials are root's")
def test_systemds_credentials_have_the_mask_of_an_acl_where_others_have_their_group(
    secret, tmp_path
):
    secret.chmod(0o440)
    assert read_secret("it", secret, credentials=str(tmp_path)) == "hunter2"
    assert "0440" in refusal(secret, credentials=str(tmp_path / "elsewhere"))
    secret.chmod(0o444)
    assert "0444" in refusal(secret, credentials=str(tmp_path))


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "no ordinary file" in refusal(tmp_path / "pipe")


def test_a_folder_is_refused(tmp_path):
    assert "directory" in refusal(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert str(tmp_path / "nothing") in refusal(tmp_path / "nothing")


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_an_empty_file_is_no_password(secret, content):
    secret.write_bytes(content)
    assert "is empty" in refusal(secret)


def test_only_the_end_of_the_line_is_taken_off(secret):
    secret.write_bytes(b" two  words \r\n")
    assert read_secret("it", secret) == " two  words "


def test_what_is_no_text_is_refused_without_a_word_of_it(secret):
    secret.write_bytes(b"hunter2\xff")
    assert "not UTF-8" in refusal(secret)


def test_a_file_that_can_be_no_password_is_refused(secret):
    secret.write_bytes(b"x" * (1 << 17))
    assert "too long" in refusal(secret)


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_settings_file_with_a_password_in_it_is_a_secret_too(file, mode):
    path = file("[broker]\npassword = 'hunter2'\n", mode)
    with pytest.raises(
        SettingsError, match=rf"broker\.password: others may read .*{mode:04o}"
    ) as it:
        load(path, environment={})
    assert "hunter2" not in str(it.value)
    # Not even where another place has the last word: it can be read all the same.
    with pytest.raises(SettingsError, match="chmod 600"):
        load(path, environment={"THINKQ_BROKER__PASSWORD": "other"})


def test_a_settings_file_of_its_owner_alone_may_hold_the_password(file):
    settings = load(file("[broker]\npassword = 'hunter2'\n"), environment={})
    assert settings.broker_password() == "hunter2"


def test_a_settings_file_without_a_password_may_be_read_by_all(file):
    assert load(file("[broker]\nusername = 'w'\n", 0o644), environment={}).broker.username == "w"


def test_a_password_comes_from_the_environment(file):
    environment = {"THINKQ_BROKER__PASSWORD": "hunter2", "THINKQ_BROKER__USERNAME": "w"}
    settings = load(file(""), environment=environment)
    assert (settings.broker.username, settings.broker_password()) == ("w", "hunter2")


@pytest.mark.parametrize("named", ["key_file", "cert_file"])
def test_the_key_for_tls_is_a_secret_whichever_file_it_is_in(file, tmp_path, named):
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "key.pem").chmod(0o644)
    path = file(f"[broker.tls]\nenabled = true\n{named} = '{tmp_path}/key.pem'\n")
    with pytest.raises(SettingsError, match=rf"broker\.tls\.{named}: others may read .*0644"):
        load(path, environment={}).check_files()


def test_a_certificate_beside_its_key_may_be_read_by_all(tmp_path):
    (tmp_path / "w.crt").touch(0o644)
    (tmp_path / "w.key").touch(0o600)
    check_private("it", tmp_path / "w.key")
    tls = {"enabled": True, "cert_file": tmp_path / "w.crt", "key_file": tmp_path / "w.key"}
    settings = Settings(broker={"tls": tls})
    with pytest.raises(SettingsError, match="its files can't be used"):
        # It is empty, which is all that is wrong with it.
        settings.check_files()
    assert stat.S_IMODE((tmp_path / "w.crt").stat().st_mode) & stat.S_IROTH
