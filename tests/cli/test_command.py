"""The command as a whole: help, exit statuses, one sentence for what is expected to go wrong."""

import pytest

from worker.cli.commands import COMMANDS


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("eval", "router")])
def test_help_says_what_a_command_does(command, thinkq):
    done = thinkq(*command, "--help")
    assert done.returncode == 0
    assert "Usage: thinkq" in done.stdout
    assert done.stderr == ""


def test_the_commands_of_the_issue_are_all_there(thinkq):
    listing = thinkq("--help").stdout
    wanted = ["demo", "run", "ask", "chat", "route", "models", "config", "doctor", "service"]
    assert [name for name in wanted if f"\n  {name} " not in listing] == []


def test_the_version_is_the_packages(thinkq):
    from worker import __version__

    assert thinkq("--version").stdout == f"thinkq {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("bogus",), 2),
        (("ask",), 2),
        (("run", "--config", "nothing.toml"), 2),
        (("ask", "hi", "--broker", "127.0.0.1:1"), 3),
        (("run", "--broker", "127.0.0.1:1"), 4),
        (("models", "verify", "nobody/nothing"), 4),
        (("models", "remove", "nobody/nothing"), 4),
        (("journal", "stats"), 1),
    ],
)
def test_an_exit_status_says_what_kind_of_failure_it_was(arguments, status, thinkq):
    done = thinkq(*arguments)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize("address", ["", ":1883", "host:", "host:x", "host:99999", "[::1", "a:b:c"])
def test_an_address_that_is_none_is_wrong_usage(address, thinkq):
    done = thinkq("ask", "hi", "--broker", address)
    assert done.returncode == 2
    assert "is not HOST or HOST:PORT" in done.stderr


def test_an_ipv6_address_stands_in_brackets(thinkq):
    done = thinkq("ask", "hi", "--broker", "[::1]:1")
    assert done.returncode == 3
    assert "::1:1" in done.stderr
