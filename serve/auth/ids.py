"""Sortable ids."""

import secrets
import uuid
from datetime import datetime


def uuid7(at: datetime) -> str:
    """Return a UUID version 7 (RFC 9562 section 5.7): 48 bits of epoch milliseconds, then 74 random bits."""
    milliseconds = int(at.timestamp() * 1000)
    bits = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=bits))
