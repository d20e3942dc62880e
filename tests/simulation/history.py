"""What the clients of a world saw: every call with when it began and ended, and what came of it."""

from typing import Any

from msgspec import Struct

from actors.messages import Envelope, Outcome


class Call(Struct):
    """One command or read of one client. `ended` None: nobody knows what became of it."""

    client: int
    envelope: Envelope
    began: float
    ended: float | None = None
    outcome: Outcome | None = None


class History:
    """All calls, in the order in which they began."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.notes: list[str] = []
        """What happened to the world, for the person who reads a failure."""

    def begin(self, client: int, envelope: Envelope, at: float) -> Call:
        """Note a call that goes out."""
        call = Call(client, envelope, at)
        self.calls.append(call)
        return call

    def note(self, at: float, what: str) -> None:
        """Note something that happened."""
        self.notes.append(f"{at:8.3f} {what}")

    def summary(self) -> dict[str, Any]:
        """Count what happened, by kind."""
        statuses: dict[str, int] = {}
        for call in self.calls:
            status = call.outcome.status if call.outcome is not None else "unknown"
            statuses[status] = statuses.get(status, 0) + 1
        events: dict[str, int] = {}
        for note in self.notes:
            kind = note.split()[1]
            events[kind] = events.get(kind, 0) + 1
        return {"calls": statuses, "events": events}
