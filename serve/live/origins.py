"""Which pages may open sockets: an exact list of origins (RFC 6454), or only those of the same host.

Scheme, host and port are compared whole, never a part of the text. What is no browser sends no origin and passes: the
token is in a frame, not in a cookie, so that a foreign page has nothing to lean on.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}

Triple = tuple[str, str, int]


@lru_cache(maxsize=256)
def parsed(origin: str) -> Triple | None:
    """Return (scheme, host, port) of an origin as browsers write it; None for anything else, `null` too."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return None
    scheme, host, port = match.groups()
    return scheme, host, int(port) if port else _PORTS[scheme]


def admits(origin: str | None, host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a page of this Origin header may open a socket; None: there was none. Several, joined, are none.

    With `allowed`, one of those; without, a page of the host that was asked (the Host header), its port included.
    """
    if origin is None:
        return True
    page = parsed(origin)
    if page is None:
        return False
    if allowed:
        return any(page == parsed(one.lower()) for one in allowed)
    asked = _HOST.fullmatch((host or "").lower())
    return asked is not None and page[1:] == (asked[1], int(asked[2]) if asked[2] else _PORTS[page[0]])
