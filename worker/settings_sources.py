"""Where settings come from and what is said when they are wrong; knows no particular setting."""

from __future__ import annotations

import difflib
import json
import tomllib
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import ValidationError

PREFIX = "THINKQ_"
LEVEL = "__"


class SettingsError(Exception):
    """The settings can't be used; the message is for the person who wrote them."""


class Layers:
    """Settings from several places, later ones over earlier ones, and whose each value is.

    Args:
        model: The settings' type, whose fields say which keys there are.

    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._fields = dict(_leaves(model))
        self._values: dict[str, Any] = {}
        self._origins = dict.fromkeys(self._fields, "default")

    @property
    def fields(self) -> dict[str, Any]:
        """Every key there is, with its field's description of itself."""
        return self._fields

    def add_file(self, path: Path) -> None:
        """Take a TOML file.

        Raises:
            SettingsError: It can't be read, or has a key that is none.

        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path}: {error}") from error
        self._add(dict(_flattened(content, self._fields)), str(path))

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Take the variables that begin with THINKQ_.

        Raises:
            SettingsError: One of them names no key.

        """
        for variable, text in environment.items():
            if variable.startswith(PREFIX):
                key = variable.removeprefix(PREFIX).lower().replace(LEVEL, ".")
                value = _listed(text) if self._takes_a_list(key) else text
                self._add({key: value}, variable)

    def add_flags(self, flags: Mapping[str, Any]) -> None:
        """Take what the command line said, by dotted key."""
        self._add(dict(flags), "command line")

    def merged(self) -> dict[str, Any]:
        """Return all of it, nested as the settings are."""
        nested: dict[str, Any] = {}
        for key, value in self._values.items():
            *sections, name = key.split(".")
            place = nested
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = value
        return nested

    def origins(self) -> dict[str, str]:
        """Return where each value came from: `default`, a file, a variable, `command line`."""
        return dict(self._origins)

    def secrets_of(self, origin: str) -> list[str]:
        """Return which secrets came from one place."""
        return [
            key
            for key, whence in self._origins.items()
            if whence == origin and _is_secret(self._fields[key].annotation)
        ]

    def _add(self, values: Mapping[str, Any], origin: str) -> None:
        for key, value in values.items():
            if key not in self._fields:
                raise SettingsError(f"{origin}: {_unknown(key, self._fields)}")
            self._values[key] = value
            self._origins[key] = origin

    def _takes_a_list(self, key: str) -> bool:
        field = self._fields.get(key)
        return field is not None and get_origin(field.annotation) is tuple


def faults(error: ValidationError, layers: Layers) -> str:
    """Return a sentence for each fault: the key, where it came from, what it takes."""
    origins = layers.origins()
    lines = []
    for fault in error.errors():
        key, below = _place(fault["loc"], layers)
        origin = origins.get(key)
        key += below
        where = f" ({origin})" if origin and origin != "default" else ""
        message = fault["msg"].removeprefix("Value error, ")
        got = (
            ""
            if "password" in key or fault["type"] == "value_error"
            else f", got {fault['input']!r}"
        )
        lines.append(f"{key}{where}: {message}{got}")
    return "\n".join(lines)


def _place(location: tuple[int | str, ...], layers: Layers) -> tuple[str, str]:
    """Return the key at fault, and what of a table under it."""
    levels = [str(level) for level in location]
    for length in range(len(levels), 0, -1):
        key = ".".join(levels[:length])
        field = layers.fields.get(key)
        if field is not None and get_origin(field.annotation) is dict:
            return key, "".join(f".{level}" for level in levels[length:] if level != "[key]")
    return ".".join(level for level in levels if level in key_levels(layers)), ""


def key_levels(layers: Layers) -> set[str]:
    """Return every word that a key is made of: pydantic puts words of its own between them."""
    return {level for key in layers.fields for level in key.split(".")}


def _listed(text: str) -> list[Any]:
    """Read a list from a variable: JSON's, or plain words between commas."""
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        found: list[Any] = json.loads(text)
    except ValueError:
        # What it is not will be said of the text itself.
        return [text]
    return found


def _is_secret(annotation: Any) -> bool:
    return SecretStr in {annotation, *get_args(annotation)}


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _flattened(
    content: Mapping[str, Any], fields: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        key = f"{prefix}{name}"
        is_section = any(known.startswith(f"{key}.") for known in fields)
        if isinstance(value, dict) and key not in fields and (value or is_section):
            yield from _flattened(value, fields, f"{key}.")
        else:
            yield key, value


def _unknown(key: str, fields: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, fields, n=1)
    section = key.rpartition(".")[0]
    beside = [known for known in fields if section and known.startswith(f"{section}.")]
    sections = list(dict.fromkeys(known.partition(".")[0] for known in fields))
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"{key} is no setting{hint} Allowed here: {', '.join(beside or sections)}"
