"""`thinkq config`: what is in force, where it came from, and whether it holds together."""

import json


def test_show_prints_every_setting_with_its_origin(thinkq, tmp_path):
    (tmp_path / "a.toml").write_text("[broker]\nport = 1884\n")
    shown = thinkq("config", "show", "--config", "a.toml", THINKQ_LOG__LEVEL="debug").stdout
    assert "broker.port = 1884  # a.toml\n" in shown
    assert 'log.level = "debug"  # THINKQ_LOG__LEVEL\n' in shown
    assert 'broker.host = "127.0.0.1"  # default\n' in shown


def test_show_masks_secrets(thinkq):
    done = thinkq("config", "show", THINKQ_BROKER__PASSWORD="hunter2")
    assert 'broker.password = "********"' in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_show_is_one_json_object_when_asked(thinkq):
    shown = json.loads(thinkq("config", "show", "--json").stdout)
    assert shown["broker.port"] == {"value": 1883, "origin": "default"}


def test_check_is_silent_about_secrets_and_says_that_all_is_well(thinkq):
    done = thinkq("config", "check", THINKQ_BROKER__PASSWORD="hunter2")
    assert (done.returncode, done.stdout) == (0, "The settings are fine.\n")


def test_check_names_the_key_at_fault(thinkq, tmp_path):
    (tmp_path / "a.toml").write_text("[broker]\nprot = 1884\n")
    done = thinkq("config", "check", "--config", "a.toml")
    assert done.returncode == 2
    assert "a.toml: broker.prot is no setting" in done.stderr


def test_check_reads_the_files_that_the_settings_name(thinkq, tmp_path):
    (tmp_path / "a.toml").write_text("[broker.tls]\nenabled = true\nca_file = 'nothing.pem'\n")
    done = thinkq("config", "check", "--config", "a.toml")
    assert done.returncode == 2
    assert "broker.tls.ca_file: there is no file nothing.pem" in done.stderr


def test_a_file_in_the_usual_place_is_found(thinkq, tmp_path):
    import sys

    place = (
        tmp_path / "Library" / "Application Support" / "thinkq"
        if sys.platform == "darwin"
        else tmp_path / ".config" / "thinkq"
    )
    place.mkdir(parents=True)
    (place / "thinkq.toml").write_text("[broker]\nport = 1884\n")
    assert "broker.port = 1884" in thinkq("config", "show").stdout
