"""A password from the macOS Keychain, by the system's own `security`; imports nothing of ours."""

from __future__ import annotations

import subprocess

SERVICE = "thinkq"
"""The service name under which passwords are kept: `-s` of `security`."""

_TIMEOUT_S = 10.0
"""A locked Keychain asks on the screen, which a headless Mac never answers."""


class KeychainError(Exception):
    """The Keychain gave no password; the message says what to do."""


def password(account: str) -> str:
    """Return the password kept for an account.

    It is put there by `security add-generic-password -s thinkq -a ACCOUNT -w`, which asks for it.

    Raises:
        KeychainError: There is no Keychain, no such item, or it is locked.

    """
    command = ["security", "find-generic-password", "-w", "-s", SERVICE, "-a", account]
    try:
        found = subprocess.run(  # noqa: S603 - no shell; the account is one argument
            command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except FileNotFoundError:
        raise KeychainError(
            "the Keychain is read by the command `security`, which only macOS has; "
            "use broker.password_file elsewhere"
        ) from None
    except subprocess.TimeoutExpired:
        raise KeychainError(
            f"the Keychain did not answer in {_TIMEOUT_S:.0f} s, as if it were locked: "
            "`security unlock-keychain`, or use broker.password_file for a headless worker"
        ) from None
    except subprocess.CalledProcessError as error:
        raise KeychainError(
            f"no password for service {SERVICE!r}, account {account!r} "
            f"({error.stderr.strip() or f'status {error.returncode}'}); "
            f"add it: security add-generic-password -s {SERVICE} -a {account} -w"
        ) from error
    secret = found.stdout.removesuffix("\n")
    if not secret:
        raise KeychainError(f"the password for service {SERVICE!r}, account {account!r} is empty")
    return secret
