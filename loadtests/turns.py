"""Reads what a holder needs of a `turn` frame from its bytes: decoding all of it would cost more than pushing it.

Senders put `sent_ns` (CLOCK_MONOTONIC, shared by the processes of one machine) into `metadata`, as a string of digits.
"""

from msgspec import Struct, json

SENT_NS = "sent_ns"
_BEGINS = b'{"t":"turn","seq":'
_SENT = b'"sent_ns":"'
_ID = b'"external_id":"'


class Turn(Struct, frozen=True):
    """One pushed turn. `sent_ns` and `external_id` are None where it carries no event of a sender of ours."""

    seq: int
    sent_ns: int | None
    external_id: str | None


class Frame(Struct, frozen=True):
    """Any frame of the server, as far as a holder looks at it."""

    t: str
    seq: int = -1
    head: int = -1
    epoch: str = ""
    resumed: bool = False
    heartbeat_s: float = 25.0


_frame = json.Decoder(Frame)


def _text_after(payload: bytes, key: bytes) -> bytes | None:
    at = payload.find(key)
    return None if at < 0 else payload[at + len(key) : payload.index(b'"', at + len(key))]


def read_turn(payload: bytes) -> Turn | None:
    """Return the turn, or None when the payload is another frame. Raises `ValueError` on one that is cut off."""
    if payload.startswith(_BEGINS):
        seq = int(payload[len(_BEGINS) : payload.index(b",", len(_BEGINS))])
    elif (frame := read_frame(payload)).t == "turn":
        seq = frame.seq
    else:
        return None
    sent, name = _text_after(payload, _SENT), _text_after(payload, _ID)
    return Turn(seq, int(sent) if sent else None, name.decode() if name else None)


def read_frame(payload: bytes) -> Frame:
    """Return what a holder looks at of any frame. Raises `ValueError` on what is no frame."""
    return _frame.decode(payload)
