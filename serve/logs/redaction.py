"""What must never be read in a log: tokens, tickets, passwords, codes, card numbers, addresses, rows of tables.

The code logs none of them. This is the second lock, for what a library, a driver or a bug puts into a message; the
third is `error_text`, which withholds the words of exceptions that may quote what a user wrote.
"""

import re
import traceback
from collections.abc import Iterator
from types import TracebackType

import psycopg

GONE = "***"
FRAMES_MAX = 30
CAUSES_MAX = 5

_WORDS = re.compile(
    r"""
    (?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)               # scheme://user:PASSWORD@host
  | \beyJ[\w-]{6,}(?:\.[\w-]*)+                                          # a signed token
  | (?P<name>\b(?:access_|refresh_|id_)?(?:token|ticket|password|passwd|pwd|secret|authorization|api_?key|otp|cvv)
       \\?["']?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?(?:\\?"[^"]*"|'[^']*'|[^\s,;&})\]"']+)
  | (?P<scheme>\b(?:bearer|basic)\s+)[^\s"',}]+
  | (?P<code>\b(?:code|pin)\\?["']?\s*[:=]\s*\\?["']?)\d{4,8}\b
  | [\w.+%-]+@[\w-]+(?:\.[\w-]+)+                                        # an e-mail address
  | (?P<detail>\b(?:DETAIL|CONTEXT|QUERY|STATEMENT):\s)[^\n]*            # a database quotes rows there
  | (?P<syntax>\binvalid\ input\ [^"\n]*)"[^"]*"
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SIGNS: tuple[str, ...] = (
    *("@", "token", "ticket", "passw", "pwd", "secret", "authoriz", "api", "otp", "cvv", "bearer", "basic", "eyj"),
    *("code", "pin", "detail:", "context:", "query:", "statement:", "invalid input"),
)
"""What every match of `_WORDS` has one of. Most lines have none, and this costs a twentieth of the search."""
_DIGITS = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_PERHAPS_DIGITS = re.compile(r"[0-9 -]{13}")
_OPAQUE = re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{43}(?![\w-])")
"""256 bits as base64url: a refresh token."""
_OPAQUE_LENGTH = 43


def _gone(found: re.Match[str]) -> str:
    return (found[found.lastgroup] if found.lastgroup else "") + GONE


def _card_gone(found: re.Match[str]) -> str:
    return GONE if is_card(found[0]) else found[0]


def redacted(text: str) -> str:
    """Return a text without what looks like a secret."""
    lower = text.lower()
    if any(sign in lower for sign in _SIGNS):
        text = _WORDS.sub(_gone, text)
    if _PERHAPS_DIGITS.search(text):
        text = _DIGITS.sub(_card_gone, text)
    return text if len(text) < _OPAQUE_LENGTH else _OPAQUE.sub(GONE, text)


def is_card(digits: str) -> bool:
    """Say whether digits, perhaps in groups, pass Luhn's check (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(int(sign) for sign in reversed(digits) if sign.isdigit()):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


_SAYS_NO_INPUT = (OSError, TimeoutError, psycopg.Error, TypeError, AttributeError, NameError, ImportError)
_OURS = ("actors.", "serve.", "adapters.", "engine.", "online_ml.")


def _words(error: BaseException) -> str:
    """Return the words of an exception; of one that may quote its input, that they are withheld."""
    name = type(error).__qualname__
    ours = type(error).__module__.startswith(_OURS)
    text = str(error) if ours or isinstance(error, _SAYS_NO_INPUT) else "(words withheld: they may quote a user)"
    return f"{name}: {text}" if text else name


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and what it came from, the last first, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen and len(seen) < CAUSES_MAX:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def error_text(error: BaseException, at: TracebackType | None = None) -> str:
    """Return where an exception came from and what it says, as far as that can be said."""
    parts = []
    for one in _chain(error):
        frames = traceback.format_tb(one.__traceback__ if one is not error else at or one.__traceback__)
        parts.append("".join(frames[-FRAMES_MAX:]) + _words(one))
    return redacted("\nfrom:\n".join(parts))
