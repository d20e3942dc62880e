"""The hash chain: a changed, removed or reordered row shows."""

from hashlib import sha256

import pytest
from msgspec import Struct, structs

from actors.chain import BrokenChain, genesis, link, verify


class Row(Struct):
    seq: int
    command_id: str
    body: bytes
    chain: bytes = b""


def _chained() -> list[Row]:
    rows = [Row(1, "open", b"a"), Row(2, "tx:1", b"bb"), Row(3, "tx:2", b"ccc")]
    previous = genesis("main/asha")
    for row in rows:
        previous = row.chain = link(previous, row.seq, row.command_id, row.body)
    return rows


def test_the_first_hash_is_over_the_genesis_and_the_row() -> None:
    expected = sha256(
        (41).to_bytes(4, "big") + (1).to_bytes(8, "big") + (4).to_bytes(4, "big") + bytes(32) + b"main/asha" + b"opena"
    )
    assert _chained()[0].chain == expected.digest()


def test_an_untouched_journal_verifies_whole_and_from_a_snapshot_on() -> None:
    rows = _chained()
    assert verify("main/asha", rows) == rows[-1].chain
    assert verify("main/asha", rows[1:], chain=rows[0].chain, seq=1) == rows[-1].chain


@pytest.mark.parametrize("change", [{"body": b"x"}, {"command_id": "tx:9"}, {"chain": bytes(32)}])
def test_a_changed_row_is_named(change: dict[str, object]) -> None:
    rows = _chained()
    rows[1] = structs.replace(rows[1], **change)
    with pytest.raises(BrokenChain, match="seq 2"):
        verify("main/asha", rows)


def test_a_removed_row_and_another_entity_show() -> None:
    rows = _chained()
    with pytest.raises(BrokenChain, match="expected seq 2, found 3"):
        verify("main/asha", [rows[0], rows[2]])
    with pytest.raises(BrokenChain, match="seq 1"):
        verify("main/ben", rows)


def test_command_and_body_cannot_trade_bytes() -> None:
    assert link(b"", 1, "ab", b"c") != link(b"", 1, "a", b"bc")
    assert link(b"a", 1, "b", b"c") != link(b"", 1, "ab", b"c")
