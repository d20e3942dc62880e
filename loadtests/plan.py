"""What the runner tells the processes of a run, in a file named by `LOADTESTS_PLAN`."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from loadtests.scenarios import Scenario

VARIABLE = "LOADTESTS_PLAN"


class Plan(Struct, frozen=True, kw_only=True):
    """One run. `tokens` has a line a user, `user token`; the first `scenario.users` have sockets, phones come after."""

    url: str
    scenario: Scenario
    run_id: str
    seed: int
    folder: str
    """Where processes of the run leave what they saw."""
    tokens: str
    service_token: str
    feed_from: str = ""
    """Where the tenant's feed is read from; empty: from the beginning."""

    def users(self) -> tuple[tuple[str, str], ...]:
        """Return (user, token) of everyone."""
        lines = Path(self.tokens).read_text(encoding="utf-8").splitlines()
        return tuple((user, token) for user, token in (line.split() for line in lines))

    def file(self, name: str) -> Path:
        """Return a file of this run."""
        return Path(self.folder) / name


def save(plan: Plan) -> Path:
    """Write the plan into the folder of its run."""
    path = plan.file("plan.json")
    path.write_bytes(msgspec.json.encode(plan))
    path.chmod(0o600)
    return path


def load() -> Plan:
    """Return the plan of the run this process is part of. Raises `LookupError` outside a run."""
    path = os.environ.get(VARIABLE)
    if not path:
        raise LookupError(f"{VARIABLE} is not set: start a run with `make load` or `python -m loadtests`")
    return msgspec.json.decode(Path(path).read_bytes(), type=Plan)
