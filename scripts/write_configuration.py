"""Writes docs/configuration.md from the settings themselves; a test asserts that it is current."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from worker.settings import Settings

TARGET = Path(__file__).parents[1] / "docs" / "configuration.md"

HEAD = """\
# Configuration

<!-- Written by scripts/write_configuration.py. -->

Weakest first: the defaults below, one TOML file, environment variables, flags of the command.

- The file is the one that `--config` names, else `~/.config/thinkq/thinkq.toml` (macOS: \
`~/Library/Application Support/thinkq/thinkq.toml`), else `/etc/thinkq/thinkq.toml`.
- A variable is `THINKQ_` and the key, with `__` between its levels: `THINKQ_BROKER__PORT=1884`. \
Lists are JSON, or words between commas.
- `thinkq config show` prints what is in force and where each value came from, secrets masked. \
`thinkq config check` says what is wrong; an unknown key names itself and what is allowed.
- A secret comes from a file of mode 0600 (`broker.password_file`), from the Keychain, or from \
`THINKQ_BROKER__PASSWORD`; no flag takes one. The file belongs to the worker's user or to root; so \
do a settings file with `broker.password` in it and the key for TLS, with the same mode.

```toml
# thinkq.toml: a worker beside Home Assistant's Mosquitto, in the same LAN
[broker]
host = "homeassistant.local"
port = 8883
username = "thinkq-worker"
password_file = "/etc/thinkq/broker-password"   # mode 0600
tls.enabled = true
tls.ca_file = "/etc/thinkq/ca.pem"

[topics]
reply_allow = ["homeassistant/+/set"]

[worker]
id = "mac-mini"
```
"""


def rows(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Return a line of the table for each key."""
    found = []
    for name, field in section.model_fields.items():
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += rows(inner, f"{prefix}{name}.")
        elif get_origin(inner) is tuple and _is_section(get_args(inner)[0]):
            found.append(f"| `{prefix}{name}` | list of tables |  | {field.description} |")
            found += rows(get_args(inner)[0], f"{prefix}{name}[].")
        elif (
            (parts := get_args(inner))
            and inspect.isclass(parts[-1])
            and issubclass(parts[-1], BaseModel)
        ):
            found.append(f"| `{prefix}{name}` | table |  | {field.description} |")
            found += rows(parts[-1], f"{prefix}{name}.<name>.")
        else:
            default = shown(field.default)
            found.append(f"| `{prefix}{name}` | {takes(inner)} | {default} | {field.description} |")
    return found


def _is_section(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def takes(annotation: Any) -> str:
    """Return what may stand for a value, in words."""
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is dict:
        return f"table of {takes(get_args(annotation)[1])}"
    inner = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is tuple:
        return "list of text"
    if inner and get_origin(annotation) is not None:
        return takes(inner[0])
    names = {str: "text", int: "whole number", float: "number", bool: "true, false"}
    return names.get(annotation, "text" if annotation is SecretStr else "path")


def shown(default: Any) -> str:
    """Return a default as it would stand in the file; nothing where there is none or it depends."""
    if default is PydanticUndefined or default is None or default == ():
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def document() -> str:
    """Return the whole page."""
    sections = [HEAD]
    for name, field in Settings.model_fields.items():
        inner: Any = field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            sections.append(
                f"\n| key | takes | default | what it is |\n|---|---|---|---|\n"
                f"| `{name}` | {takes(inner)} |  | {field.description} |\n"
            )
            continue
        table = "\n".join(rows(inner, f"{name}."))
        sections.append(
            f"\n## {name}: {(inner.__doc__ or '').strip()}\n\n"
            f"| key | takes | default | what it is |\n|---|---|---|---|\n{table}\n"
        )
    return "".join(sections)


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
