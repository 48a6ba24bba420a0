"""All settings and how they are read; no other module reads the environment.

Weakest first: defaults, one TOML file, variables `THINKQ_…` with `__` between levels, flags.
Imported late by the command: pydantic takes a tenth of a second.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from worker.settings_secrets import check_private, read_secret
from worker.settings_sections import (
    Access,
    Broker,
    Engine,
    Intents,
    JournalKeeping,
    Log,
    Model,
    Models,
    RequestLimits,
    Shutdown,
    Thinking,
    TopicNames,
    Worker,
)
from worker.settings_sources import Layers, SettingsError, faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.router.intents import Recognizer
    from worker.transport.options import TlsOptions

__all__ = ["Settings", "SettingsError", "load"]


def _data_dir() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/thinkq").expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "thinkq"


def config_files() -> tuple[Path, ...]:
    """Return where a settings file is looked for when none is named; the first there is counts."""
    if sys.platform == "darwin":
        own = Path("~/Library/Application Support/thinkq/thinkq.toml").expanduser()
    else:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        own = home / "thinkq" / "thinkq.toml"
    return own, Path("/etc/thinkq/thinkq.toml")


class Settings(BaseSettings):
    """All of them. Get them from `load`, which knows the files and explains faults."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=_data_dir, description="Where models and the journal are kept."
    )
    broker: Broker = Field(default_factory=Broker)
    topics: TopicNames = TopicNames()
    worker: Worker = Field(default_factory=Worker)
    model: Model = Model()
    models: Models = Models()
    engine: Engine = Engine()
    thinking: Thinking = Thinking()
    intents: Intents = Intents()
    access: Access = Access()
    limits: RequestLimits = RequestLimits()
    journal: JournalKeeping = JournalKeeping()
    shutdown: Shutdown = Shutdown()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what `load` hands over: it merges the layers to know each value's origin."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def broker_password(self) -> str | None:
        """Return the broker's password from wherever it is kept.

        Raises:
            SettingsError: The file is missing or not its owner's alone; or the Keychain has none.

        """
        if self.broker.password is not None:
            return self.broker.password.get_secret_value()
        if self.broker.password_file is not None:
            return read_secret(
                "broker.password_file", self.broker.password_file, credentials=_credentials()
            )
        if self.broker.password_keychain is not None:
            from worker.service.keychain import KeychainError, password  # noqa: PLC0415 - macOS

            try:
                return password(self.broker.password_keychain)
            except KeychainError as error:
                raise SettingsError(f"broker.password_keychain: {error}") from error
        return None

    def recognizer(self) -> Recognizer | None:
        """Return what recognizes commands, None where that is off.

        Raises:
            SettingsError: Its packages are not installed, or it doesn't know the language.

        """
        if self.intents.language is None:
            return None
        from worker.router import intents  # noqa: PLC0415 - where it is on

        home = intents.Home(
            devices=self.intents.devices, areas=self.intents.areas, floors=self.intents.floors
        )
        try:
            return intents.Recognizer(self.intents.language, home)
        except intents.IntentsMissing as error:
            raise SettingsError(f"intents.language: {error}") from error

    def pinned_prompts(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Return the prompts that are read at the start: texts, and tools as clients send them.

        Raises:
            SettingsError: A file can't be read, or holds something else.

        """
        found = []
        for number, prompt in enumerate(self.engine.pinned):
            key = f"engine.pinned[{number}]"
            text, tools = prompt.text, []
            try:
                if prompt.file is not None:
                    text = prompt.file.read_text(encoding="utf-8").strip()
                if prompt.tools_file is not None:
                    tools = json.loads(prompt.tools_file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise SettingsError(f"{key}: {error}") from error
            if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
                raise SettingsError(f"{key}.tools_file: expected a list of tools")
            found.append((text, tools))
        return found

    def check_files(self) -> None:
        """Read every file and secret that the settings name for the broker and the engine.

        Raises:
            SettingsError: One of them is missing, is not what it should be, or others may read it.

        """
        self.broker_password()
        self.pinned_prompts()
        for name in ("ca_file", "cert_file", "key_file"):
            path = getattr(self.broker.tls, name)
            if path is not None and not path.is_file():
                raise SettingsError(f"broker.tls.{name}: there is no file {path}")
        self._check_key()
        tls = self.tls_options()
        try:
            if tls is not None:
                tls.context()
        except OSError as error:
            raise SettingsError(f"broker.tls: its files can't be used: {error}") from error

    def _check_key(self) -> None:
        tls = self.broker.tls
        if tls.key_file is not None:
            check_private("broker.tls.key_file", tls.key_file, credentials=_credentials())
        elif tls.cert_file is not None:
            # Then the key is in the certificate's file.
            check_private("broker.tls.cert_file", tls.cert_file, credentials=_credentials())

    def tls_options(self) -> TlsOptions | None:
        """Return what the connection needs for TLS, None for plain TCP."""
        from worker.transport.options import TlsOptions  # noqa: PLC0415 - not for `config show`

        tls = self.broker.tls
        if not tls.enabled:
            return None
        return TlsOptions(
            ca_file=_text(tls.ca_file),
            cert_file=_text(tls.cert_file),
            key_file=_text(tls.key_file),
            server_name=tls.server_name,
        )


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        config: The TOML file; None looks where one usually is, and there may be none.
        overrides: Flags, by dotted key: `{"broker.port": 1884}`.
        environment: Default: the process's.

    Raises:
        SettingsError: Something is wrong; the message names every key at fault and what it takes.

    """
    return load_with_origins(config, overrides, environment=environment)[0]


def load_with_origins(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> tuple[Settings, dict[str, str]]:
    """Read the settings, and where each value came from, by dotted key."""
    path = config or next((path for path in config_files() if path.is_file()), None)
    layers = Layers(Settings)
    if path is not None:
        layers.add_file(path)
        for key in layers.secrets_of(str(path)):
            check_private(key, path)
    layers.add_environment(os.environ if environment is None else environment)
    layers.add_flags(overrides or {})
    try:
        settings = Settings(**layers.merged())
    except ValidationError as error:
        raise SettingsError(faults(error, layers)) from None
    return settings, layers.origins()


def _credentials() -> str | None:
    return os.environ.get("CREDENTIALS_DIRECTORY")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
