"""The blocking client in greenlets, as Locust has it: run as a program, since gevent patches the whole process.

Run: python -m gevent.monkey --module tests.support.greenlets URL TOKEN PHONES. Each phone watches in a greenlet, while
one of them pays from another; prints what each saw.
"""

import sys

import gevent

from serve.client import Turn, blocking


def watch(url: str, token: str, paid: int) -> list[int]:
    """Return the seqs of the first turns of a phone."""
    with blocking.connect(url, token) as live:
        _ready.append(live)
        return [next(live).seq for _ in range(paid)]


def spend(url: str, token: str, paid: int) -> list[int]:
    """Pay over the socket once every phone watches; return the seqs of the receipts."""
    with blocking.connect(url, token) as live:
        items = live.frames()
        while len(_ready) < int(sys.argv[3]):
            gevent.sleep(0.01)
        receipts = [
            live.spend({"external_id": f"G{i}", "source": "upi", "amount": 19_725, "currency": "INR"}, timeout_s=20)
            for i in range(paid)
        ]
        turns = [item for item in (next(items) for _ in range(paid + 1)) if isinstance(item, Turn)]
        assert [turn.seq for turn in turns] == [receipt["seq"] for receipt in receipts]
        return [turn.seq for turn in turns]


_ready: list[blocking.Live] = []

if __name__ == "__main__":
    url, token, phones = sys.argv[1], sys.argv[2], int(sys.argv[3])
    at_work = [gevent.spawn(watch, url, token, 5) for _ in range(phones)] + [gevent.spawn(spend, url, token, 5)]
    gevent.joinall(at_work, timeout=40, raise_error=True)
    for one in at_work:
        sys.stdout.write(f"{one.value}\n")
