"""Events as wallets send them: amounts, merchants and kinds of the demo's stream, each with an id of its own.

The stream follows real spending (`serve/demo/shape.py`, `everyday.csv`, `narrations.csv`, see `serve/demo/SOURCES.md`).
"""

import random
from typing import Any

from loadtests.turns import SENT_NS
from serve.demo.stream import DemoEvent, stream

_PEOPLE = [f"p{number}" for number in range(20)]
_TEMPLATES = 4_000

RESENT_SHARE = 0.02
"""Share of requests that a wallet sends again though they were answered; the demo's choice (`shape.RESENT_SHARE`)."""


class Payments:
    """Bodies of `POST /transactions`, one after another. `prefix` makes the ids of a run and of a sender unique."""

    def __init__(self, seed: int, prefix: str) -> None:
        self._rng = random.Random(f"{seed}:{prefix}")
        made = stream(self._rng.randrange(2**31), "template", _PEOPLE, _TEMPLATES)
        self._templates: list[DemoEvent] = [event for event in made if not event.resent]
        self._prefix = prefix
        self._count = 0

    def next(self, due_ns: int, user: str | None = None) -> dict[str, Any]:
        """Return the next event, stamped with the moment it is due to be sent; `user` for a service's."""
        template = self._templates[self._count % len(self._templates)].body
        self._count += 1
        reference = str(self._rng.randrange(10**11, 10**12))
        body = {
            **template,
            "external_id": f"{self._prefix}-{self._count}",
            "reference": reference,
            "description": template["description"].replace(template["reference"], reference),
            "metadata": {SENT_NS: str(due_ns)},
        }
        if user is not None:
            body["user_id"] = user
        return body
