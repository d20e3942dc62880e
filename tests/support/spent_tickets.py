"""The double of the table of spent tickets: one set, for whoever shares it."""

from datetime import datetime


class MemorySpentTickets:
    """`SpentTickets` in memory."""

    def __init__(self) -> None:
        self.spent: dict[bytes, datetime] = {}

    async def spend(self, ticket_id: bytes, expires_at: datetime) -> bool:
        """See `SpentTickets.spend`."""
        return self.spent.setdefault(ticket_id, expires_at) is expires_at
