"""Settings: which place wins, what a fault says, and that secrets stay secret."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.settings import Settings, SettingsError, load, load_with_origins


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "thinkq.toml"
        path.write_text(text)
        return path

    return write


def fault(path, environment=None, overrides=None):
    with pytest.raises(SettingsError) as caught:
        load(path, overrides, environment=environment or {})
    return str(caught.value)


def test_flags_win_over_variables_and_they_over_the_file(file):
    path = file("[broker]\nport = 1\nhost = '127.0.0.2'\nkeepalive_s = 7\n")
    environment = {"THINKQ_BROKER__PORT": "2", "THINKQ_BROKER__HOST": "127.0.0.3"}
    settings, origins = load_with_origins(path, {"broker.port": 3}, environment=environment)
    assert (settings.broker.port, origins["broker.port"]) == (3, "command line")
    assert (settings.broker.host, origins["broker.host"]) == ("127.0.0.3", "THINKQ_BROKER__HOST")
    assert (settings.broker.keepalive_s, origins["broker.keepalive_s"]) == (7, str(path))
    assert origins["log.level"] == "default"


@pytest.mark.parametrize("text", ["home/a,home/b", '["home/a", "home/b"]', " home/a , home/b "])
def test_a_list_in_a_variable_is_json_or_words_between_commas(text, file):
    settings = load(file(""), environment={"THINKQ_TOPICS__REPLY_ALLOW": text})
    assert settings.topics.reply_allow == ("home/a", "home/b")


def test_an_unknown_key_names_itself_and_what_is_near_and_what_is_allowed(file):
    said = fault(file("[broker]\nprot = 1\n"))
    assert "broker.prot is no setting; did you mean broker.port?" in said
    assert "broker.username" in said
    assert "broker.tls.ca_file" in said


def test_an_unknown_section_names_the_sections(file):
    assert "brokr.port is no setting" in fault(file("[brokr]\nport = 1\n"))


def test_a_section_may_be_empty(file):
    assert load(file("[engine]\n[broker.tls]\n"), environment={}) == load(file(""), environment={})


def test_an_unknown_variable_names_itself(file):
    assert fault(file(""), {"THINKQ_BROKR__PORT": "1"}).startswith("THINKQ_BROKR__PORT: ")


def test_a_wrong_value_names_its_key_its_place_and_what_is_allowed(file):
    path = file("[log]\nformat = 'xml'\n")
    assert fault(path) == (
        f"log.format ({path}): Input should be 'auto', 'pretty' or 'json', got 'xml'"
    )


def test_every_fault_is_said_at_once(file):
    said = fault(file("[log]\nformat = 'xml'\n[broker]\nport = 99999\n"))
    assert "log.format" in said
    assert "broker.port" in said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[topics]\nroot = 'a/#'", "topics.root"),
        ("[topics]\nroot = ''", "topics.root"),
        ("[topics]\ngroup = 'a/b'", "topics.group"),
        ("[worker]\nid = 'a+b'", "worker.id"),
    ],
)
def test_a_name_that_could_be_no_topic_is_refused(text, key, file):
    assert fault(file(text)).startswith(key)


def test_a_file_that_is_no_toml_is_named(file):
    path = file("x = [1\n")
    assert fault(path).startswith(f"{path}: ")


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "nothing.toml" in fault(tmp_path / "nothing.toml")


@pytest.mark.parametrize("host", ["10.0.0.1", "broker.local", "::2"])
def test_plain_tcp_to_another_machine_must_be_written_down(host, file):
    path = file(f"[broker]\nhost = '{host}'\n")
    assert "broker.tls.enabled = true" in fault(path)
    assert load(path, {"broker.insecure": True}, environment={}).broker.host == host
    assert load(path, {"broker.tls.enabled": True}, environment={}).broker.host == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_loopback_needs_no_tls(host, file):
    assert load(file(""), {"broker.host": host}, environment={}).broker.host == host


@pytest.mark.parametrize("key", ["ca_file", "cert_file", "key_file"])
def test_a_file_for_tls_that_is_missing_is_named(key, file):
    path = file(f"[broker.tls]\nenabled = true\n{key} = '/nothing.pem'\n")
    with pytest.raises(SettingsError, match=f"broker.tls.{key}: there is no file /nothing.pem"):
        load(path, environment={}).check_files()


def test_a_file_for_tls_that_is_no_certificate_is_said(file, tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    path = file(f"[broker.tls]\nenabled = true\nca_file = '{tmp_path / 'ca.pem'}'\n")
    with pytest.raises(SettingsError, match=r"broker\.tls: its files"):
        load(path, environment={}).check_files()


def test_no_secret_is_shown_by_the_settings_themselves(file):
    settings = load(file(""), environment={"THINKQ_BROKER__PASSWORD": "hunter2"})
    assert settings.broker_password() == "hunter2"
    assert "hunter2" not in repr(settings)


def test_no_secret_is_in_what_a_fault_says(file):
    assert "hunter2" not in fault(file("[broker]\npassword = ['hunter2']\n"))


def test_a_workers_default_name_is_one_that_a_topic_can_hold(file):
    assert load(file(""), environment={}).worker.id


def test_the_production_model_is_the_default():
    assert Settings().model.name == "Qwen/Qwen3-4B-MLX-4bit"


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=20), min_size=1, max_size=3)
)
def test_a_variable_of_any_name_that_is_no_setting_is_named(names):
    assume("data_dir" not in names)
    environment = {f"THINKQ_{name}": value for name, value in names.items()}
    with pytest.raises(SettingsError, match="THINKQ_"):
        load(None, environment=environment)
