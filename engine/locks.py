"""Locks: a locked jar receives, and pays nothing out. Rules: docs/domain.md, "Locks".

Whatever takes money out of a jar asks `refuse_locked` first: a transfer, a withdrawal, a contribution to a group.
"""

from datetime import datetime

from engine.behaviour import Refused
from engine.jars import Jar


def refuse_locked(jar: Jar, at: datetime) -> None:
    """Refuse (409) to take money out of a locked jar."""
    opens = jar.locked_at(at)
    if opens is not None:
        raise Refused(
            "conflict",
            f"{jar.name} is locked until {opens.isoformat()} and pays nothing out; wait, or ask for an unlock",
            locked_until=opens.isoformat(),
        )
