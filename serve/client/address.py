"""Where the socket is, from what people have at hand: the address of the server."""

from urllib.parse import urlsplit, urlunsplit

PATH = "/api/v1/live"
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def socket_url(url: str) -> str:
    """Return the socket's URL for a base URL, or for a whole `ws://…` URL, whose path is kept. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError(f"url is {url!r}: expected http://host[:port], https://… or a whole ws://… address")
    path = parts.path.rstrip("/")
    if not path or parts.scheme.startswith("http"):
        path += PATH
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def is_loopback(url: str) -> bool:
    """Whether the server is this machine: then no proxy is asked, whatever the environment says."""
    return urlsplit(url).hostname in _LOOPBACK
