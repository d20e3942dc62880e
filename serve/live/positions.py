"""A position in a user's stream as text, `<epoch>:<seq>`: the `id` of a server-sent event, a cursor of `GET /turns`."""

from serve.live.protocol import Position

_SEQ_DIGITS_MAX = 18


def written(epoch: str, seq: int) -> str:
    """Return the text of a position."""
    return f"{epoch}:{seq}"


def read(text: str) -> Position | None:
    """Return the position a text stands for; None when it stands for none."""
    epoch, colon, seq = text.rpartition(":")
    if not (epoch and colon and seq.isascii() and seq.isdigit() and len(seq) <= _SEQ_DIGITS_MAX):
        return None
    return Position(epoch, int(seq))
