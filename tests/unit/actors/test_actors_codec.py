"""Stored bytes: version and key id first."""

import pytest

from actors.codec import UnknownCodec, pack, unpack


def test_a_body_is_version_key_and_what_was_encoded() -> None:
    assert pack(b"turn") == b"\x01\x00\x00turn"
    assert bytes(unpack(pack(b"turn"))) == b"turn"


@pytest.mark.parametrize("stored", [b"", b"\x01\x00", b"\x02\x00\x00turn", b"\x01\x00\x01turn"])
def test_what_this_release_cannot_read_is_refused(stored: bytes) -> None:
    with pytest.raises(UnknownCodec):
        unpack(stored)
