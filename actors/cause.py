"""What the present task works for: the request that caused it, and where it stands in a trace.

Both follow the task and what it starts, and reach the next process in `Meta`; log lines and spans take them from here.
"""

from contextvars import ContextVar
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request, the frame, the timer's firing that caused this; empty when nothing of the kind did."""

TRACE: ContextVar[str] = ContextVar("trace", default="")
"""The W3C `traceparent` of the span that is open; empty when nothing is recorded."""


def about(**fields: Any) -> dict[str, Any]:
    """Return the `extra` of a log call: fields of its line. Ids and numbers, never words of a user.

    `request_id` need not be named where it is the present task's.
    """
    return {"about": fields}
