"""What websockets says about an end, in the stream's terms."""

from websockets.exceptions import ConnectionClosed, InvalidStatus

_TOO_BIG = 1009


def code_of(closed: ConnectionClosed) -> tuple[int | None, str]:
    """Return close code and reason; None when the line ended without one."""
    if closed.rcvd is not None:
        return closed.rcvd.code, closed.rcvd.reason
    if closed.sent is not None and closed.sent.code == _TOO_BIG:
        return _TOO_BIG, closed.sent.reason
    return None, "the line broke without a close frame"


def answered(refusal: InvalidStatus) -> tuple[int, float]:
    """Return the HTTP status of a refused upgrade, and the seconds of its `Retry-After`."""
    said = refusal.response.headers.get("Retry-After", "")
    return refusal.response.status_code, float(said) if said.isdigit() else 0.0
