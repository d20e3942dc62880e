import pytest
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from loadtests.frames import Opcode, ProtocolError, Reader, UpgradeRefused, close_code, frame, upgrade

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: here\r\n\r\n"


def served(payload: bytes, opcode: TheirOpcode = TheirOpcode.TEXT) -> bytes:
    return TheirFrame(opcode, payload).serialize(mask=False)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("cut", [1, 3, 1_000_000])
def test_frames_of_every_length_are_read_however_the_bytes_come(size: int, cut: int) -> None:
    sent = HEAD + served(b"x" * size) + served(b"after") + served(b"", TheirOpcode.PING)
    if size > 1_000 and cut < 10:
        cut *= 997
    reader = Reader(b"here")
    got = [found for at in range(0, len(sent), cut) for found in reader.feed(sent[at : at + cut])]
    assert got == [(Opcode.TEXT, b"x" * size), (Opcode.TEXT, b"after"), (Opcode.PING, b"")]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_another_implementation_understands_what_is_sent(size: int) -> None:
    request, accept = upgrade("h:1", "/api/v1/live", "boond.v1")
    server = ServerProtocol(subprotocols=["boond.v1"])  # type: ignore[list-item]
    server.receive_data(request)
    asked = server.events_received()[0]
    assert isinstance(asked, Request)
    response = server.accept(asked)
    assert response.headers["Sec-WebSocket-Accept"] == accept.decode()
    assert response.headers["Sec-WebSocket-Protocol"] == "boond.v1"
    server.send_response(response)
    server.receive_data(frame(Opcode.TEXT, b"y" * size))
    (event,) = server.events_received()
    assert isinstance(event, TheirFrame)
    assert event.data == b"y" * size


def test_an_upgrade_that_is_refused_says_its_status() -> None:
    with pytest.raises(UpgradeRefused, match="503") as refused:
        list(Reader(b"here").feed(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n"))
    assert refused.value.status == 503


def test_an_answer_for_another_key_is_refused() -> None:
    with pytest.raises(ProtocolError, match="Sec-WebSocket-Accept"):
        list(Reader(b"mine").feed(HEAD))


@pytest.mark.parametrize("bad", [b"\x01\x01a", b"\xc1\x01a", b"\x83\x01a", b"\x81\x7f" + (2**40).to_bytes(8, "big")])
def test_fragments_extensions_unknown_and_huge_frames_are_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Reader(b"here").feed(HEAD + bad))


def test_a_head_without_end_is_not_kept_for_ever() -> None:
    with pytest.raises(ProtocolError, match="no end"):
        list(Reader(b"here").feed(b"HTTP/1.1 101 " + b"x" * 20_000))


def test_a_close_frame_has_a_code_or_none() -> None:
    assert close_code((4108).to_bytes(2, "big") + b"slow") == 4108
    assert close_code(b"") == 1005
