"""A TCP relay on loopback that behaves as a bad network does, from a seed: what a phone in a train has.

Each line through it draws its fate when it opens: latency, a dribble of single bytes, stalls, a reset in the middle of
a frame, or half-open, when packets are swallowed and nobody is told.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

_CHUNK_BYTES = 4_096


@dataclass(frozen=True)
class Weather:
    """How bad it is: shares of lines (0-1), seconds, bytes. The default is a calm day."""

    latency_s_max: float = 0.0
    reset_share: float = 0.0
    """Lines that are reset after some bytes, wherever in a frame that is."""
    half_open_share: float = 0.0
    """Lines that swallow everything after some bytes, both ways, and stay open."""
    bytes_before_max: int = 8_192
    """How many bytes a line that ends this way carries at most, both ways together."""
    dribble_share: float = 0.0
    """Lines that carry single bytes for a while."""
    dribble_bytes: int = 400
    stall_share: float = 0.0
    """Lines that stop once for `stall_s`, then go on."""
    stall_s: float = 0.0


CALM = Weather()


class _Line:
    """One client through the relay."""

    def __init__(self, weather: Weather, chance: Random) -> None:
        self._weather, self._chance = weather, chance
        fate = chance.random()
        self._resets = fate < weather.reset_share
        self._swallows = not self._resets and fate < weather.reset_share + weather.half_open_share
        self._left = chance.randint(1, weather.bytes_before_max)
        self._dribble = weather.dribble_bytes if chance.random() < weather.dribble_share else 0
        self._stalls = chance.random() < weather.stall_share

    async def carry(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Carry on what was read. Raises `ConnectionResetError` when this was the end."""
        await asyncio.sleep(self._chance.uniform(0, self._weather.latency_s_max))
        if self._stalls and self._chance.random() < 0.5:
            self._stalls = False
            await asyncio.sleep(self._weather.stall_s)
        ends = self._resets or self._swallows
        carried, self._left = data[: self._left] if ends else data, self._left - len(data)
        while carried and self._dribble > 0:
            writer.write(carried[:1])
            carried, self._dribble = carried[1:], self._dribble - 1
            await asyncio.sleep(0)
        writer.write(carried)
        await writer.drain()
        if ends and self._left <= 0:
            self._left = 0
            if self._resets:
                raise ConnectionResetError


class BadNetwork:
    """The relay. `weather` may change at any time and holds for new lines; `cut` ends those that are open."""

    def __init__(self, port: int, seed: int, weather: Weather) -> None:
        self.weather = weather
        self.lines = 0
        """How many were opened."""
        self._target, self._chance = port, Random(seed)
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every line, as when the train enters a tunnel."""
        for writer in tuple(self._open):
            _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one line until it ends, however it ends."""
        self.lines += 1
        line = _Line(self.weather, Random(self._chance.random()))
        ends = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(far_writer)
            self._open.update(ends)
            async with asyncio.TaskGroup() as both:
                both.create_task(_relay(line, reader, far_writer))
                both.create_task(_relay(line, far_reader, writer))
        except* (OSError, _Over):
            pass
        finally:
            for end in ends:
                self._open.discard(end)
                _reset(end)


class _Over(Exception):
    """One side has ended the line."""


async def _relay(line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        await line.carry(data, writer)
    raise _Over


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with RST, so that nothing lingers and nobody is told politely."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def bad_network(port: int, *, seed: int, weather: Weather = CALM) -> AsyncIterator[BadNetwork]:
    """Put a relay before a port of this machine."""
    network = BadNetwork(port, seed, weather)
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    network.port = server.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        server.close()
        network.cut()
