"""The sections of the settings: names, units, defaults, and what may stand there; reads no file."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from worker.domain.catalogue import DEFAULT
from worker.domain.errors import ThinkqError
from worker.domain.policy import check_name, check_root

if TYPE_CHECKING:
    from collections.abc import Callable

PresetName = Literal["quick", "balanced", "thorough"]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


def _checked(check: Callable[[str, str], str]) -> AfterValidator:
    """Return a validator from a check of the domain, which has an error of its own."""

    def validate(value: str) -> str:
        try:
            return check(value, "it")
        except ThinkqError as error:
            raise ValueError(error.message.removeprefix("it: ")) from None

    return AfterValidator(validate)


Name = Annotated[str, _checked(check_name)]
Root = Annotated[str, _checked(check_root)]


def _worker_id() -> str:
    name = socket.gethostname().partition(".")[0].lower()
    return re.sub(r"[^a-z0-9_-]+", "-", name).strip("-") or "worker"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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
        default=None, min_length=1, description="The name on the broker's certificate."
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

    root: Root = Field(default="thinkq", description="What stands before all of them.")
    group: Name | None = Field(
        default=None, description="The group that shares requests among several workers."
    )
    takeover_s: Seconds = Field(
        default=60, description="Seconds a worker of the group may be away and keep what it holds."
    )
    claim_ahead: Positive = Field(
        default=8,
        description="Requests that wait here before new ones go to a worker where fewer wait; "
        "to one with a free row they go at once.",
    )
    reply_allow: tuple[str, ...] = Field(
        default=(),
        description="Topic filters for replies outside a client's own; %c is the client.",
    )


class Worker(_Section):
    """This worker."""

    id: Name = Field(default_factory=_worker_id, description="Its name; default: the host's.")


class Model(_Section):
    """The model."""

    name: str = Field(
        default="Qwen/Qwen3-4B-MLX-4bit", description="A hub name, a directory, or embedded."
    )
    path: Path | None = Field(default=None, description="A directory; wins over the name.")
    yarn_factor: Literal[1, 2, 4] | None = Field(
        default=None,
        description="The most YaRN may stretch the context of a request that needs it: 4 makes "
        "32,768 tokens 131,072; 1 never. Default: 4 for Qwen3, 1 for models that nobody has tried.",
    )
    long_kv_bits: Literal[8, 4] | None = Field(
        default=None,
        description="Keep the KV caches of contexts that YaRN has stretched in so many bits: two "
        "to four times as much context in the same memory, slower, with other words now and then; "
        "replies say so in `notes`. Default: as they are computed.",
    )
    context_tokens: Positive | None = Field(
        default=None, description="A limit on any conversation, below what the model reads."
    )


class PinnedPrompt(_Section):
    """What many requests begin with, by whichever client."""

    text: str = Field(default="", description="A system message, as clients send it.")
    file: Path | None = Field(default=None, description="A file with that text, in its place.")
    tools_file: Path | None = Field(
        default=None, description="A file with the list of tools that goes with it, as JSON."
    )

    @model_validator(mode="after")
    def _something(self) -> PinnedPrompt:
        if bool(self.text) + (self.file is not None) > 1:
            raise ValueError("expected either text or file, got both")
        if not (self.text or self.file or self.tools_file):
            raise ValueError("expected text, file or tools_file, got none")
        return self


class FurtherModel(Model):
    """One more model, by the name that requests call it."""

    name: str = Field(description="A hub name, a directory, or embedded.")
    pinned: bool = Field(default=False, description="Load it at the start and keep it.")
    max_rows: Positive | None = Field(
        default=None, description="Requests that run at once; default: as the engine's."
    )
    memory_bytes: Positive | None = Field(
        default=None, description="What it may use; default: its weights and models.room_bytes."
    )


class Models(_Section):
    """More models beside the default one, each in an engine of its own."""

    further: dict[Name, FurtherModel] = Field(
        default_factory=dict, description="Those that are loaded when a request wants them."
    )
    lanes: dict[Literal["interactive", "standard", "batch"], str] = Field(
        default_factory=dict, description="The model of a lane; default: the default one."
    )
    idle_s: Seconds = Field(
        default=600, description="Seconds without a request before such a model is unloaded."
    )
    turn_s: Seconds = Field(
        default=10,
        description="Seconds that a request waits for a model that there is no memory for before "
        "another one is stopped for it.",
    )
    memory_bytes: Positive | None = Field(
        default=None,
        description="What they may take together, of engine.memory_bytes; the rest is the default "
        "model's. Default: a third.",
    )
    room_bytes: int = Field(
        default=512 * 1024**2,
        ge=0,
        description="For the caches and steps of each, beside its weights.",
    )

    @model_validator(mode="after")
    def _lanes_have_models(self) -> Models:
        known = (DEFAULT, *self.further)
        if DEFAULT in self.further:
            raise ValueError(f"further.{DEFAULT}: that is what the model of [model] is called")
        for lane, name in self.lanes.items():
            if name not in known:
                raise ValueError(f"lanes.{lane}: expected one of {', '.join(known)}, got {name!r}")
        return self


class Engine(_Section):
    """The engine's process."""

    max_rows: Positive = Field(default=16, description="Requests that run at once.")
    max_parked: int = Field(
        default=16,
        ge=0,
        description="Requests that may be parked to let an interactive one run; 0 parks none.",
    )
    memory_bytes: Positive | None = Field(
        default=None,
        description="What weights and all KV caches may take together. Default: half the "
        "machine's memory; on a Mac 80 % of what Metal recommends.",
    )
    wire_memory: bool = Field(
        default=False,
        description="Raise macOS's limit on memory that is never swapped, as mlx-lm does by "
        "itself. It is faster where memory is short, and has taken down small Macs.",
    )
    cache_bytes: int = Field(
        default=2 * 1024**3,
        ge=0,
        description="Memory for the KV caches of ended conversations; 0 keeps none.",
    )
    cache_disk_bytes: int = Field(
        default=4 * 1024**3,
        ge=0,
        description="Disk for those of sessions and pinned prompts, for a restart, of each model; "
        "0 keeps none.",
    )
    pinned: tuple[PinnedPrompt, ...] = Field(
        default=(),
        description="Prompts that are read at the start and help every client's requests.",
    )
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
    preset: PresetName = Field(
        default="balanced", description="What being wrong costs: slow answers or shallow ones."
    )
    lane_presets: dict[Literal["interactive", "standard", "batch"], PresetName] = Field(
        default_factory=dict, description="The preset of a lane."
    )
    counterfactuals: bool = Field(
        default=False,
        description="When nobody waits, try what the other mode would have answered, "
        "as examples for `thinkq router tune`.",
    )
    counterfactuals_idle_s: Seconds = Field(
        default=60, description="Seconds that nobody must have waited before."
    )
    escalate_below: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Take an answer back and think after all where one of its first tokens was "
        "less probable; 0 never, nothing: as was measured for the model, which may be never.",
    )
    client_presets: dict[Name, PresetName] = Field(
        default_factory=dict, description="The preset of a client; before its lane's."
    )


class Intents(_Section):
    """Commands that are recognized without a model."""

    language: str | None = Field(
        default=None,
        description="Of home-assistant-intents, such as en or de; turns it on. "
        "Needs the extra `intents`.",
    )
    devices: dict[str, str] = Field(
        default_factory=dict, description="Each device's name and its domain, such as light."
    )
    areas: tuple[str, ...] = Field(default=(), description="The rooms' names.")
    floors: tuple[str, ...] = Field(default=(), description="The floors' names.")


class Quota(_Section):
    """What a client may have; no value is no limit."""

    requests_per_minute: int | None = Field(
        default=None, ge=0, description="Requests in any 60 seconds."
    )
    tokens_per_day: int | None = Field(
        default=None, ge=0, description="Tokens read and written in any 24 hours."
    )
    context_tokens: int | None = Field(default=None, gt=0, description="Tokens of one prompt.")
    thinking_tokens: int | None = Field(
        default=None, ge=0, description="Tokens of one thought; 0 forbids thinking."
    )
    lanes: tuple[Literal["interactive", "standard", "batch"], ...] | None = Field(
        default=None, description="Lanes that it may use."
    )
    tools: tuple[str, ...] | None = Field(
        default=None, description="Functions that it may declare, as patterns with `*`."
    )
    models: tuple[str, ...] | None = Field(
        default=None, description="Models that it may use, as patterns with `*`."
    )


class ToolRule(_Section):
    """A rule for a tool, or for those whose names fit a pattern with `*`."""

    confirm: bool = Field(
        default=False, description="Mark its calls as ones that a person must confirm."
    )
    arguments: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="What each argument named may be, as patterns with `*`.",
    )


class Access(_Section):
    """Who may do what; read again at SIGHUP."""

    allow: tuple[str, ...] = Field(
        default=(), description="Clients that are answered, as patterns with `*`; empty: all."
    )
    deny: tuple[str, ...] = Field(default=(), description="Clients that are not.")
    operators: tuple[str, ...] = Field(
        default=(), description="Clients without quota that may act for others."
    )
    quotas: dict[str, Quota] = Field(
        default_factory=dict, description="What clients may have, by name or pattern."
    )
    tools: dict[str, ToolRule] = Field(
        default_factory=dict, description="What tools may be called with, by name or pattern."
    )


class RequestLimits(_Section):
    """What a request may bring."""

    payload_bytes: Positive = Field(default=2 * 1024 * 1024, description="The largest payload.")
    metadata_bytes: Positive = Field(default=4096, description="The largest metadata.")
    depth: Positive = Field(default=64, description="Arrays and objects inside each other.")
    queued_requests: Positive = Field(default=10_000, description="Requests that may wait.")
    queued_per_client: Positive = Field(default=5_000, description="Those of one client.")
    queued_bytes: Positive = Field(
        default=256 * 1024 * 1024, description="Bytes of all requests that wait."
    )
    queued_bytes_per_client: Positive = Field(
        default=128 * 1024 * 1024, description="Those of one client."
    )


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
