"""Request ids: the sender's own where it is fit for a log line and a header, else a fresh one."""

import re
import secrets

HEADER = b"x-request-id"
_FIT = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def accept(given: str) -> str:
    """Return the id that was given; a fresh one, 16 hexadecimal digits, when it is none of ours to repeat."""
    return given if _FIT.fullmatch(given) else secrets.token_hex(8)
