"""What was acknowledged, what is in the journal, what was pushed: the three must be one. Arithmetic only."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

_EXAMPLES_MAX = 10


class Ack(Struct, frozen=True, array_like=True):
    """A 2xx: whose turn, its `seq`, and the id the sender gave."""

    user: str
    seq: int
    external_id: str


class Heard(Struct, frozen=True):
    """One listener: where its first snapshot stood, the last turn it took, and of each turn the id or None."""

    user: str
    start: int
    seq: int
    turns: Mapping[int, str | None]
    until: int | None = None
    """It left for good when it had to have seen so much; None: it stayed to the end."""


Journal = Mapping[str, Sequence[tuple[int, str | None]]]
"""By user: (seq, external id of the payment it records, or None) as `GET /turns` has them, oldest first."""


class Findings(Struct):
    """Everything that is wrong, counted; `examples` say of each kind the first few. All zero is the promise."""

    lost: int = 0
    """Acknowledged, and in no turn."""
    misplaced: int = 0
    """Acknowledged with one `seq`, in the turn of another."""
    doubled: int = 0
    """In more than one turn."""
    not_pushed: int = 0
    """Turns after a listener's start that it never got."""
    pushed_otherwise: int = 0
    """Turns that a listener got with another payment than the journal has there."""
    holes: int = 0
    """Users whose journal is not dense from 1."""
    feed_missing: int = 0
    """Turns that the tenant's feed never gave."""
    feed_disordered: int = 0
    """Turns that the feed gave before one of the same user that comes first."""
    acknowledged: int = 0
    turns: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, kind: str, what: str) -> None:
        """Count one more of a kind."""
        setattr(self, kind, getattr(self, kind) + 1)
        if sum(example.startswith(f"{kind}:") for example in self.examples) < _EXAMPLES_MAX:
            self.examples.append(f"{kind}: {what}")


class Feed(Struct, frozen=True):
    """What a tenant's back end read: (user, seq) in the order given; `starts`: for each user, the first it must get."""

    items: Sequence[tuple[str, int]]
    starts: Mapping[str, int] = {}


def reconcile(acks: Iterable[Ack], journal: Journal, listeners: Iterable[Heard], feed: Feed | None = None) -> Findings:
    """Compare. `journal` has every user of an acknowledgement and of a listener, and all whom the feed must give."""
    findings = Findings(turns=sum(map(len, journal.values())))
    _check_journal(findings, acks, journal)
    for listener in listeners:
        _check_listener(findings, listener, journal.get(listener.user, ()))
    if feed is not None:
        _check_feed(findings, feed, journal)
    return findings


def _check_journal(findings: Findings, acks: Iterable[Ack], journal: Journal) -> None:
    where: dict[tuple[str, str], int] = {}
    for user, turns in journal.items():
        if [seq for seq, _ in turns] != list(range(1, len(turns) + 1)):
            findings.note("holes", f"{user}: {[seq for seq, _ in turns][:20]}")
        for seq, external_id in turns:
            if external_id is None:
                continue
            if (user, external_id) in where:
                findings.note("doubled", f"{external_id} of {user} in turns {where[user, external_id]} and {seq}")
            where[user, external_id] = seq
    for ack in acks:
        findings.acknowledged += 1
        found = where.get((ack.user, ack.external_id))
        if found is None:
            findings.note("lost", f"{ack.external_id} of {ack.user}, acknowledged as turn {ack.seq}")
        elif found != ack.seq:
            findings.note("misplaced", f"{ack.external_id} of {ack.user}: said {ack.seq}, is {found}")


def _check_listener(findings: Findings, listener: Heard, turns: Sequence[tuple[int, str | None]]) -> None:
    for seq, external_id in turns:
        if seq <= listener.start or (listener.until is not None and seq > listener.until):
            continue
        if seq > listener.seq or seq not in listener.turns:
            findings.note("not_pushed", f"turn {seq} of {listener.user} ({external_id}), heard up to {listener.seq}")
        elif external_id is not None and listener.turns[seq] != external_id:
            findings.note("pushed_otherwise", f"turn {seq} of {listener.user}: {listener.turns[seq]}, is {external_id}")


def _check_feed(findings: Findings, feed: Feed, journal: Journal) -> None:
    last: Counter[str] = Counter()
    for user, seq in feed.items:
        first = user not in last
        if not first and seq > last[user] + 1:
            findings.note("feed_disordered", f"turn {seq} of {user} after {last[user]}")
        last[user] = max(last[user], seq)
    given = set(feed.items)
    for user, turns in journal.items():
        for seq, _ in turns:
            if seq >= feed.starts.get(user, 1) and (user, seq) not in given:
                findings.note("feed_missing", f"turn {seq} of {user}")
