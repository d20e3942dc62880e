"""Settings: from flags, then `BOOND_*`, then defaults; and what of them travels to replicas and shards.

A wrong value is a `WrongSetting` that names the setting, where it came from, the value and what is expected.
"""

import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

FLAGS = ("data", "host", "port", "shards")
"""Settings that have a flag of `boond up` too; every one has a variable."""


class WrongSetting(ValueError):
    """A setting whose value cannot be used. The message is meant for the person who set it."""

    def __init__(self, name: str, origin: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {value!r} (from {origin}): {expected}")
        self.name = name


def _default_shards() -> int:
    return max(1, (os.cpu_count() or 2) // 2)


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set. The text of each field is the consequence of changing it."""

    data: Annotated[
        str,
        Meta(
            min_length=1,
            description="Folder of everything that must last: Postgres, keys, logs. Another folder is "
            "another, empty Boond; back this folder up. Only one `boond up` may use it at a time.",
        ),
    ] = "data"
    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address the public port binds. Anything but loopback shows the API to that network "
            "without TLS: put a terminating proxy before it.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=1, le=65535, description="Public port of REST and sockets. Clients and the demo use it.")
    ] = 8000
    shards: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Processes that host user actors. More use more cores and about 100 MB each; a change "
            "moves users to other shards at the next start. The default is half the cores, at least "
            "1.",
        ),
    ] = msgspec.field(default_factory=_default_shards)
    postgres_url: Annotated[
        str,
        Meta(
            description="Use this PostgreSQL 15 or later instead of the embedded one. Its backups, `fsync` and "
            "`synchronous_commit` are then yours to keep on.",
        ),
    ] = ""
    redis_url: Annotated[
        str,
        Meta(
            description="Use this Redis 6 or later instead of the embedded one, for leaderboards. It holds nothing "
            "that is not in PostgreSQL too; while it is gone, leaderboards answer 503 and nothing else changes.",
        ),
    ] = ""
    sandbox: Annotated[
        bool,
        Meta(
            description="Let services and admins put the clock of an instance on your Postgres forward (`POST "
            "/api/v1/sandbox/clock`), for tests. It never goes back. An embedded Postgres may always.",
        ),
    ] = False
    ray_address: Annotated[
        str,
        Meta(
            description="Join this Ray cluster instead of starting one. It must run the same Ray and the same "
            "boond; its `RAY_SERVE_*` variables are set where it is started (see ray_cluster.yaml).",
        ),
    ] = ""
    snapshot_every: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Turns of a user between two snapshots. Fewer: faster activation, more writes. Snapshots "
            "are a cache.",
        ),
    ] = 200
    passivate_after_s: Annotated[
        float,
        Meta(ge=1, description="Idle seconds after which a user leaves memory. Less saves memory and costs reloads."),
    ] = 600.0
    entities_max: Annotated[
        int,
        Meta(
            ge=100,
            description="User actors in memory a shard; over it the longest idle leave. Too low for the active "
            "users: every request reloads.",
        ),
    ] = 20_000
    heartbeat_s: Annotated[
        float,
        Meta(
            ge=1,
            le=300,
            description="Seconds between socket heartbeats. Longer saves work, but clients notice a gap or a dead "
            "line later.",
        ),
    ] = 25.0
    access_token_s: Annotated[
        int,
        Meta(
            ge=60, le=86_400, description="Life of an access token. Longer: a stolen one, or an old role, works longer."
        ),
    ] = 900
    refresh_token_s: Annotated[
        int,
        Meta(ge=3_600, description="Life of a refresh token: after so many idle seconds a user logs in again."),
    ] = 30 * 86_400
    service_stream_s: Annotated[
        int,
        Meta(
            ge=60,
            le=86_400,
            description="How long a socket or stream may last that a service's ticket opened; a user's ends with the "
            "user's token. Longer: one who should no longer see it sees it longer.",
        ),
    ] = 3_600
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins (scheme://host[:port], comma separated) whose browser pages may open sockets. "
            "Empty: only pages of the same host. Clients that send no Origin are not browsers and "
            "pass.",
        ),
    ] = ()
    sockets_max: Annotated[
        int,
        Meta(
            ge=0,
            description="Connections the front door holds at once. 0: as many as the hard `nofile` limit carries "
            "(2 file descriptors each), at most 20,000. More than that limit carries is refused.",
        ),
    ] = 0
    api_replicas: Annotated[
        int,
        Meta(ge=1, le=64, description="Processes that answer REST. Fixed: every change reloads the front door."),
    ] = 1
    live_replicas: Annotated[
        int,
        Meta(
            ge=1, le=64, description="Processes that hold sockets. Fixed: sockets of one that goes move to the others."
        ),
    ] = 1
    direct_sockets: Annotated[
        bool,
        Meta(
            description="Let clients open sockets on a live replica's own port too (`GET /api/v1/live/gateways` lists "
            "them), past the front door and its limit: 10,000 sockets a replica. The ports, 20000 to 30999, then "
            "listen where `host` says; it must be loopback or all networks.",
        ),
    ] = False
    move_s: Annotated[
        float,
        Meta(
            ge=0,
            le=600,
            description="The longest time over which a replica that is replaced lets its sockets go (close code 4200), "
            "at most 200 a second. Shorter: a redeploy ends sooner, and more clients come back at once. When "
            "everything stops it is a second.",
        ),
    ] = 30.0
    log_level: Annotated[
        str,
        Meta(
            pattern="^(debug|info|warning|error)$",
            description="How much goes to `DATA/logs`: debug, info, warning or error, in every process alike. Info "
            "says what begins, ends and changes hands; debug tells the whole story of each event and slows the hot "
            "path.",
        ),
    ] = "info"
    log_format: Annotated[
        str,
        Meta(
            pattern="^(text|json)$",
            description="How log lines look: `text` for people, `json` (one object a line) for what collects them.",
        ),
    ] = "text"
    metrics: Annotated[
        bool,
        Meta(
            description="Count what every process does, and answer `GET /api/v1/metrics` with it. Off saves the CPU "
            "that `python -m tests.benchmarks.bench_observing` shows, and the endpoint answers 404.",
        ),
    ] = True
    access_log: Annotated[
        bool,
        Meta(
            description="Write a line at info for every answered request; at debug there always is one. What it costs: "
            "`python -m tests.benchmarks.bench_telling`."
        ),
    ] = False
    traces: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
            description="Where OpenTelemetry spans go, an OTLP/HTTP collector such as `http://127.0.0.1:4318`. Empty: "
            "nothing is recorded, at no cost. What it needs beyond (headers, certificates) are "
            "`OTEL_EXPORTER_OTLP_*` variables.",
        ),
    ] = ""
    traces_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Which part of the requests is traced, unless the caller's `traceparent` has decided. All of "
            "them (1) slow every request; `python -m tests.benchmarks.bench_telling` shows how much.",
        ),
    ] = 0.01
    money_host: Annotated[
        str,
        Meta(
            pattern="^(sandbox|external)$",
            description="Who executes instructions: `sandbox` says at once that it did, and moves nothing; "
            "`external` leaves them open for a host that polls `GET /instructions` and reports results.",
        ),
    ] = "sandbox"

    @property
    def data_folder(self) -> Path:
        """The folder of everything that must last; absolute, as `load` makes it so."""
        return Path(self.data).expanduser().resolve()

    @property
    def url(self) -> str:
        """Where clients on this machine reach it."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "*") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class RuntimeConfig(Struct, frozen=True, kw_only=True):
    """What a replica or a shard is constructed with. JSON or pickle; keys stay in `data/keys`.

    `postgres_url` may carry a password: who can read Ray's or Serve's state can read it.
    `namespace` is Ray's, `instance_id` names this data folder; both are part of no durable format.
    """

    postgres_url: str
    namespace: str
    instance_id: str
    sandbox: bool = False
    shards: int
    data: str
    version: str
    snapshot_every: int = 200
    passivate_after_s: float = 600.0
    entities_max: int = 20_000
    heartbeat_s: float = 25.0
    access_token_s: int = 900
    refresh_token_s: int = 30 * 86_400
    service_stream_s: int = 3_600
    origins: tuple[str, ...] = ()
    direct_sockets: bool = False
    move_s: float = 30.0
    log_level: str = "warning"
    log_format: str = "text"
    metrics: bool = True
    access_log: bool = False
    traces: str = ""
    traces_ratio: float = 0.01
    money_host: str = "sandbox"
    redis_url: str = ""
    """Empty where there is no Redis: no leaderboard can be shown."""


def boond_version() -> str:
    """Return the installed version, or `source` when run from a checkout that is not installed."""
    try:
        return metadata.version("boond")
    except metadata.PackageNotFoundError:
        return "source"


def runtime_config(settings: Settings, *, postgres_url: str, instance_id: str, redis_url: str = "") -> RuntimeConfig:
    """Return what travels of the settings, once it is known where Postgres and Redis listen."""
    shared = {f: getattr(settings, f) for f in RuntimeConfig.__struct_fields__ if f in Settings.__struct_fields__}
    shared |= {
        "data": str(settings.data_folder),
        "postgres_url": postgres_url,
        "redis_url": redis_url or settings.redis_url,
    }
    shared["sandbox"] = settings.sandbox or not settings.postgres_url
    return RuntimeConfig(**shared, namespace=f"boond-{instance_id}", instance_id=instance_id, version=boond_version())


def environment_name(field: str) -> str:
    """Return the environment variable of a setting."""
    return f"BOOND_{field.upper()}"


def _expected(hint: Any) -> str:
    kind, *metas = get_args(hint) or (hint,)
    limits = [f"{sign} {m}" for meta in metas for sign, m in ((">=", meta.ge), ("<=", meta.le)) if m is not None]
    limits += [f"like {meta.pattern}" for meta in metas if meta.pattern]
    names = {int: "a whole number", float: "a number", str: "a text", bool: "1 or 0"}
    return f"expected {names.get(kind, 'a comma separated list')} {' and '.join(limits)}".rstrip()


def _value(field: str, hint: Any, origin: str, raw: object) -> Any:
    if field == "origins" and isinstance(raw, str):
        raw = tuple(part.strip() for part in raw.split(",") if part.strip())
    try:
        return msgspec.convert(raw, hint, strict=False)
    except msgspec.ValidationError as error:
        raise WrongSetting(field, origin, raw, _expected(hint)) from error


def load(flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. A flag that is None was not given; an empty variable counts as not set.

    Raises WrongSetting, also for a `BOOND_*` origin that is no origin.
    """
    environment = os.environ if environment is None else environment
    given: dict[str, Any] = {}
    for field, hint in get_type_hints(Settings, include_extras=True).items():
        flag = (flags or {}).get(field)
        variable = environment_name(field)
        if flag is not None:
            given[field] = _value(field, hint, f"--{field.replace('_', '-')}", flag)
        elif environment.get(variable):
            given[field] = _value(field, hint, variable, environment[variable])
    for origin in given.get("origins", ()):
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            raise WrongSetting("origins", "origins", origin, "expected scheme://host[:port] without a path")
    settings = Settings(**given)
    # Absolute from here on: `up` changes its working folder.
    return msgspec.structs.replace(settings, data=str(settings.data_folder))


def accepted(field: str) -> str:
    """Return in words what values a setting takes."""
    return _expected(get_type_hints(Settings, include_extras=True)[field]).removeprefix("expected ")


def describe() -> list[tuple[str, str, str, str]]:
    """Return (name, environment variable, default, consequence) of every setting, for docs/configuration.md."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Settings):
        default = "half the cores" if field.name == "shards" else str(field.default or "")
        if isinstance(field.default, bool):
            default = str(int(field.default))
        if isinstance(field.default, tuple) or field.default == "":
            default = "(empty)"
        meta = get_args(hints[field.name])[1]
        rows.append((field.name, environment_name(field.name), default or "0", meta.description))
    return rows
