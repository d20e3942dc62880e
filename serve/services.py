"""What request handlers and sockets work with: one bundle of ports, filled by `serve.composition`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from actors.clock import ClockTable
from actors.host_statements import HostStatements
from actors.read_model import ReadModel
from actors.runtime import Runtime
from adapters.scores.redis_board import RedisBoards
from serve.api.measures import ApiMeasures
from serve.auth.accounts import Accounts
from serve.auth.keys import KeyRing
from serve.auth.tickets import Tickets
from serve.auth.tokens import Verifier
from serve.gateways import Address, nowhere
from serve.observe.observatory import Observatory
from serve.tenant_feed import TenantFeed


@dataclass(frozen=True, slots=True)
class Services:
    """The ports of one process. `epoch` is the journal's stream id; `readiness` says which parts are not ready."""

    runtime: Runtime
    read_model: ReadModel
    statements: HostStatements
    accounts: Accounts
    verifier: Verifier
    tickets: Tickets
    feed: TenantFeed
    keys: KeyRing
    epoch: str
    now: Callable[[], datetime]
    readiness: Callable[[], Awaitable[dict[str, str]]]
    gateways: Callable[[], Awaitable[list[Address]]] = nowhere
    """Where sockets are taken past the front door."""
    boards: RedisBoards | None = None
    """Where leaderboards are ranked; None without a Redis."""
    measures: ApiMeasures = field(default_factory=ApiMeasures)
    """What REST counts in this process."""
    observatory: Observatory | None = None
    """What all processes count; None where nothing is counted."""
    clock: ClockTable | None = None
    """The instance's clock where it may be put forward. `now` is the real time."""
