"""The Keychain's password, from a `security` of our own that speaks as Apple's manual has it."""

import os

import pytest

from worker.service import keychain
from worker.settings import SettingsError, load

ASKED = "find-generic-password -w -s thinkq -a thinkq-worker"


@pytest.fixture
def security(tmp_path, monkeypatch):
    """Put a `security` on the path that does this when asked for our password."""

    def put(does, asked=ASKED):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "security"
        program.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] || exit 64\n{does}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "thinkq.toml").write_text("[broker]\npassword_keychain = 'thinkq-worker'\n")
    return load(tmp_path / "thinkq.toml", environment={})


def test_the_password_is_what_security_prints(security, settings):
    security("echo 'hunter2 with spaces '")
    assert settings.broker_password() == "hunter2 with spaces "


def test_the_account_is_one_argument_whatever_is_in_it(security):
    security("echo hunter2", asked="find-generic-password -w -s thinkq -a x; echo y")
    assert keychain.password("x; echo y") == "hunter2"


def test_an_item_that_is_not_there_is_said_with_how_to_add_it(security, settings):
    security("echo 'The specified item could not be found in the keychain.' >&2; exit 44")
    with pytest.raises(SettingsError) as caught:
        settings.broker_password()
    said = str(caught.value)
    assert said.startswith("broker.password_keychain: ")
    assert "could not be found" in said
    assert "security add-generic-password -s thinkq -a thinkq-worker -w" in said


def test_a_refusal_does_not_repeat_what_was_printed(security, settings):
    security("echo hunter2; exit 1")
    with pytest.raises(SettingsError) as caught:
        settings.broker_password()
    assert "hunter2" not in str(caught.value)


def test_a_locked_keychain_is_not_waited_for_for_ever(security, settings, monkeypatch):
    monkeypatch.setattr(keychain, "_TIMEOUT_S", 0.2)
    security("exec sleep 60")
    with pytest.raises(SettingsError, match=r"security unlock-keychain.*broker\.password_file"):
        settings.broker_password()


def test_without_a_keychain_the_way_that_works_is_named(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"only macOS has.*password_file"):
        settings.broker_password()


def test_an_item_without_a_password_is_none(security, settings):
    security("echo")
    with pytest.raises(SettingsError, match="is empty"):
        settings.broker_password()
