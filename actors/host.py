"""What a process that hosts a shard is told, and the shard it makes of it. Nothing here knows how messages arrive."""

import os
import secrets
import time
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from msgspec import Struct, field, structs

from actors.client import Sender
from actors.clock import InstanceClock
from actors.ids import Entropy, Uuid7
from actors.kinds import hosted
from actors.lane import LaneLimits
from actors.letters import Letters, OwnShard
from actors.limits import Limits
from actors.postgres import PostgresJournal
from actors.shard import EntityShard
from actors.transport import Transport
from engine.letters import CHANNEL as LETTERS

DEFAULT_BEHAVIOUR = "engine.hosting:BEHAVIOUR"
LETTER_LANES = LaneLimits(call_s_max=4.0, deadline_s=8.0)
"""A letter that is not answered by then goes back into the outbox's own pace of trying again."""


class VersionMismatch(Exception):
    """A shard runs another release of boond than the host that started it."""


class HostConfig(Struct, frozen=True):
    """Configuration of the shards of an instance, the same for all of them.

    `behaviour` is the import path `module:attribute` of a `Behaviour`, or of `Kinds` when there are several, so that
    nothing is pickled by value.
    """

    postgres_url: str
    namespace: str
    shards: int
    behaviour: str = DEFAULT_BEHAVIOUR
    outside: str = ""
    """Import path of what makes the behaviour's `Outside` from `told`; none when empty."""
    told: bytes = b""
    handlers: str = ""
    """Import path of what makes the handlers of the outbox by channel, from `Surroundings`; letters need none."""
    begin: str = ""
    """Import path of what a shard's process does first, with `told` and its name: it begins its log."""
    sandbox: bool = False
    """Whether the instance's clock may be put forward."""
    limits: Limits = field(default_factory=Limits)
    release: str = field(default_factory=lambda: release())


class Surroundings(Struct, frozen=True):
    """What the handlers of a shard's outbox may be made of: commands to any entity go through `sender`."""

    told: bytes
    sender: Sender
    now: Callable[[], datetime]


def release() -> str:
    """Return the version of boond that is installed here; "source" when it runs from a checkout."""
    try:
        return version("boond")
    except PackageNotFoundError:
        return "source"


def load(path: str) -> Any:
    """Return what `module:attribute` names. Raises `ImportError` or `AttributeError`."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def make_shard(
    config: HostConfig, shard: int, on_fenced: Callable[[], None], transport: Transport | None = None
) -> EntityShard:
    """Return a shard on Postgres that is not started yet. Raises `VersionMismatch`.

    `transport` leads to the other shards; without one, letters are delivered within this one only.
    """
    if config.release != release():
        raise VersionMismatch(f"the host runs boond {config.release}, this node {release()}: install the same release")
    kinds = hosted(load(config.behaviour))
    if config.outside:
        outside = load(config.outside)(config.told)
        for behaviour in kinds:
            behaviour.outside = outside
    own = OwnShard(shard, transport)
    sender = Sender(own, config.shards, structs.replace(LETTER_LANES, measure=config.limits.measure))
    clock = InstanceClock()
    handlers = {} if not config.handlers else load(config.handlers)(Surroundings(config.told, sender, clock))
    made = EntityShard(
        kinds,
        PostgresJournal(config.postgres_url, f"boond-shard-{shard}"),
        shard=shard,
        shards=config.shards,
        owner=f"{config.namespace}/shard-{shard}/{os.getpid()}/{secrets.token_hex(8)}",
        now=clock,
        new_id=Uuid7(lambda: time.time_ns() // 1_000_000, Entropy()),
        on_fenced=on_fenced,
        limits=config.limits,
        clock=clock if config.sandbox else None,
        handlers={LETTERS: Letters(sender), **handlers},
    )
    own.submits_to(made)
    made.counts_too(sender.series)
    return made
