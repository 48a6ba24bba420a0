"""What can be configured, with defaults, units and origins; no other module reads the environment.

Weakest first: defaults, one TOML file, variables `THINKQ_…` with `__` between levels, flags.
Imported late by the command: pydantic takes a tenth of a second.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from worker.settings_sources import Layers, SettingsError, faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.transport.options import TlsOptions

__all__ = ["Settings", "SettingsError", "load"]

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


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


def _worker_id() -> str:
    name = socket.gethostname().partition(".")[0].lower()
    return re.sub(r"[^a-z0-9_-]+", "-", name).strip("-") or "worker"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(_Section):
    """TLS to the broker."""

    enabled: bool = Field(default=False, description="Speak TLS; the broker's name is checked.")
    ca_file: Path | None = Field(
        default=None, description="Authorities to trust; else the system's."
    )
    cert_file: Path | None = Field(default=None, description="The worker's own certificate.")
    key_file: Path | None = Field(default=None, description="The key of that certificate.")
    server_name: str | None = Field(
        default=None, description="The name on the broker's certificate."
    )


class Broker(_Section):
    """Where the broker is and who we are there."""

    host: str = Field(default="127.0.0.1", description="Name or address of the broker.")
    port: int = Field(default=1883, ge=0, le=65535, description="Its port.")
    protocol: Literal["5", "3.1.1"] = Field(default="5", description="MQTT's version.")
    embedded: Literal["off", "auto", "iotcore", "mosquitto"] = Field(
        default="off", description="Start a broker of our own on host and port."
    )
    username: str | None = Field(default=None, description="What the broker knows us by.")
    password: SecretStr | None = Field(default=None, description="What it believes us for.")
    password_file: Path | None = Field(
        default=None, description="A file of mode 0600 that holds the password."
    )
    password_keychain: str | None = Field(
        default=None, description="The account of a password in the macOS Keychain."
    )
    client_id: str | None = Field(
        default=None, description="Default: the topics' root and the worker's id."
    )
    keepalive_s: Positive = Field(default=30, description="Seconds of silence before a ping.")
    session_expiry_s: int = Field(
        default=86_400, ge=0, description="Seconds the broker keeps our session while we are away."
    )
    receive_maximum: int = Field(
        default=1000, ge=1, le=65535, description="Requests it sends before we acknowledge."
    )
    insecure: bool = Field(
        default=False, description="Allow plain TCP to a broker that is not on this machine."
    )
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _plain_only_on_loopback(self) -> Broker:
        if not (self.tls.enabled or self.insecure or _is_loopback(self.host)):
            raise ValueError(
                f"{self.host} is not this machine: set broker.tls.enabled = true, or write down "
                "broker.insecure = true"
            )
        return self


class TopicNames(_Section):
    """The topics."""

    root: str = Field(default="thinkq", description="What stands before all of them.")
    group: str | None = Field(
        default=None, description="The group that shares requests among several workers."
    )
    reply_allow: tuple[str, ...] = Field(
        default=(),
        description="Topic filters for replies outside a client's own; %c is the client.",
    )


class Worker(_Section):
    """This worker."""

    id: str = Field(default_factory=_worker_id, description="Its name; default: the host's.")


class Model(_Section):
    """The model."""

    name: str = Field(
        default="Qwen/Qwen3-4B-MLX-4bit", description="A hub name, a directory, or embedded."
    )
    path: Path | None = Field(default=None, description="A directory; wins over the name.")
    yarn_factor: Literal[1, 2, 4] = Field(
        default=1, description="How far YaRN stretches the context: 4 makes 32,768 tokens 131,072."
    )
    context_tokens: Positive | None = Field(
        default=None, description="A limit below the model's own."
    )


class Engine(_Section):
    """The engine's process."""

    max_rows: Positive = Field(default=16, description="Requests that run at once.")
    prefill_tokens_busy: Positive = Field(
        default=256, description="Prompt tokens a step while others stream."
    )
    prefill_tokens_idle: Positive = Field(
        default=2048, description="Prompt tokens a step while none do."
    )
    threads: Positive | None = Field(default=None, description="Threads of the BLAS on Linux.")
    start_timeout_s: Seconds = Field(default=600, description="Seconds a model may take to load.")
    step_timeout_s: Seconds = Field(
        default=120, description="Seconds of silence after which it counts as hung."
    )
    restart_backoff_max_s: Seconds = Field(
        default=30, description="The longest pause between two starts, in seconds."
    )


class Thinking(_Section):
    """Thinking."""

    default_mode: Literal["auto", "think", "no_think"] = Field(
        default="auto", description="The mode where nobody asks for one; auto judges."
    )
    budget_tokens: int | None = Field(
        default=None, ge=0, description="A cap on every thought, in tokens."
    )
    publish_reasoning: bool = Field(default=True, description="Let thoughts go on the wire.")


class RequestLimits(_Section):
    """What a request may bring."""

    payload_bytes: Positive = Field(default=2 * 1024 * 1024, description="The largest payload.")
    metadata_bytes: Positive = Field(default=4096, description="The largest metadata.")
    depth: Positive = Field(default=64, description="Arrays and objects inside each other.")
    queued_requests: Positive = Field(default=10_000, description="Requests that may wait.")
    queued_per_client: Positive = Field(default=5_000, description="Those of one client.")


class JournalKeeping(_Section):
    """How long records are kept."""

    retention_s: Seconds = Field(default=86_400, description="Seconds a record is kept.")
    session_retention_s: Seconds = Field(
        default=30 * 86_400, description="Seconds a session is kept after its last turn."
    )
    max_bytes: Positive = Field(
        default=256 * 1024 * 1024, description="Of records, before the oldest go early."
    )


class Shutdown(_Section):
    """The end."""

    grace_s: float = Field(default=20, ge=0, description="Seconds that running work may finish in.")


class Log(_Section):
    """The log."""

    format: Literal["auto", "pretty", "json"] = Field(
        default="auto", description="auto is pretty on a terminal and JSON lines otherwise."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    content: bool = Field(default=False, description="Log prompts and answers too.")
    file: Path | None = Field(default=None, description="A file to log to; else standard error.")
    file_bytes: Positive = Field(
        default=10_000_000, description="The size at which that file is set aside."
    )
    files_kept: Positive = Field(default=5, description="How many set aside are kept.")


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
    engine: Engine = Engine()
    thinking: Thinking = Thinking()
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
            SettingsError: The file is missing, or others may read it; or the Keychain has none.

        """
        if self.broker.password is not None:
            return self.broker.password.get_secret_value()
        if self.broker.password_file is not None:
            return _secret_of(self.broker.password_file)
        if self.broker.password_keychain is not None:
            from worker.service.keychain import KeychainError, password  # noqa: PLC0415 - macOS

            try:
                return password(self.broker.password_keychain)
            except KeychainError as error:
                raise SettingsError(f"broker.password_keychain: {error}") from error
        return None

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
    layers.add_environment(os.environ if environment is None else environment)
    layers.add_flags(overrides or {})
    try:
        settings = Settings(**layers.merged())
    except ValidationError as error:
        raise SettingsError(faults(error, layers)) from None
    return settings, layers.origins()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _secret_of(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"broker.password_file: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"broker.password_file: others may read {path}: chmod 600 {path}")
    return secret


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
