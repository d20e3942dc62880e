"""What is shown to the server, and where it comes from."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

Secret = str | Callable[[], str | Awaitable[str]]
"""A token or ticket; or what gives a fresh one whenever it is asked, perhaps as a coroutine."""


class Credential(Struct, frozen=True):
    """What `auth` shows: a `token` or a `ticket`. Renewable: a fresh one can be had for the next try."""

    kind: str
    secret: str
    renewable: bool


class Source:
    """Gives a credential for each try. Raises `ValueError` unless there is exactly one of token and ticket."""

    def __init__(self, token: Secret | None, ticket: Secret | None) -> None:
        given = [(kind, secret) for kind, secret in (("token", token), ("ticket", ticket)) if secret is not None]
        if len(given) != 1:
            raise ValueError("expected a token or a ticket, one of them")
        [(self._kind, self._secret)] = given

    async def ask(self) -> Credential:
        """Return what to show now; what the application's callable raises passes through."""
        given = self._secret if isinstance(self._secret, str) else self._secret()
        return self._made(given if isinstance(given, str) else await given)

    def ask_at_once(self) -> Credential:
        """Return the same without a loop. Raises `TypeError` when the callable is asynchronous."""
        given = self._secret if isinstance(self._secret, str) else self._secret()
        if not isinstance(given, str):
            raise TypeError("the blocking client needs a callable that returns the token itself, not a coroutine")
        return self._made(given)

    def _made(self, secret: str) -> Credential:
        return Credential(self._kind, secret, not isinstance(self._secret, str))
