"""What can go wrong with identity.

    AuthError
    ├── TokenRefused            401  an access token proves nothing
    │   ├── TokenTooLong, TokenMalformed, TokenAlgorithmRefused, TokenTypeRefused
    │   ├── TokenKeyUnknown, TokenSignatureWrong, TokenIssuerWrong, TokenAudienceWrong
    │   ├── TokenExpired, TokenNotYetValid
    │   └── TicketRefused           nor does a ticket
    │       └── TicketExpired, TicketSpent
    ├── WrongCredentials        401  e-mail or password
    ├── RefreshRefused          401  unknown, expired or revoked
    │   └── RefreshReused            a spent one came back: its family is revoked
    ├── InputRefused            422  names the field
    ├── EmailTaken              409
    ├── Busy                    503  with a time to wait
    └── KeyFileUnusable              the server cannot start

The docstring of a class is the message a client may see; it never repeats what the client sent.
"""


class AuthError(Exception):
    """Identity could not be established."""

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)


class TokenRefused(AuthError):
    """The access token is not valid."""


class TokenTooLong(TokenRefused):
    """The access token is longer than any this server issues."""


class TokenMalformed(TokenRefused):
    """The access token is not a well-formed JWT of this server."""


class TokenAlgorithmRefused(TokenRefused):
    """The access token is not signed with EdDSA."""


class TokenTypeRefused(TokenRefused):
    """The token is not an access token."""


class TokenKeyUnknown(TokenRefused):
    """The access token is signed with a key this server does not know."""


class TokenSignatureWrong(TokenRefused):
    """The signature of the access token is wrong."""


class TokenIssuerWrong(TokenRefused):
    """The access token was issued by another server."""


class TokenAudienceWrong(TokenRefused):
    """The access token is meant for another service."""


class TokenExpired(TokenRefused):
    """The access token has expired."""


class TokenNotYetValid(TokenRefused):
    """The access token is not valid yet."""


class TicketRefused(TokenRefused):
    """The ticket is none of this server's: get one from POST /live/ticket."""


class TicketExpired(TicketRefused):
    """The ticket has expired: get another from POST /live/ticket."""


class TicketSpent(TicketRefused):
    """The ticket was used before, and opens one socket only: get another from POST /live/ticket."""


class WrongCredentials(AuthError):
    """The e-mail or the password is wrong."""


class RefreshRefused(AuthError):
    """The refresh token is not valid: log in again."""


class RefreshReused(RefreshRefused):
    """The refresh token was used before, so its session is closed: log in again."""


class EmailTaken(AuthError):
    """An account with this e-mail exists."""


class InputRefused(AuthError):
    """A field cannot be accepted."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Busy(AuthError):
    """Too many passwords are being checked now."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class KeyFileUnusable(AuthError):
    """A key file cannot be used."""
