"""Where sockets stand that have not said who they are: bounded, as a whole and by address.

Only sockets in their first seconds are here, so a bound does not lock out a busy office, only a flood. This machine's
own addresses stand for many (a proxy, a load generator) and count only as a part of the whole.
"""

from collections import Counter
from ipaddress import ip_address, ip_network

from serve.live.limits import Limits


class Full(Exception):
    """There is no room; `why` is a label for the measures."""

    def __init__(self, why: str, reason: str) -> None:
        super().__init__(reason)
        self.why = why


class Seat:
    """One socket's place, given back once."""

    __slots__ = ("_anteroom", "_origin")

    def __init__(self, anteroom: "Anteroom", origin: str | None) -> None:
        self._anteroom: Anteroom | None = anteroom
        self._origin = origin

    def give_back(self) -> None:
        """Harmless when repeated."""
        if self._anteroom is not None:
            self._anteroom.leave(self._origin)
            self._anteroom = None


class Anteroom:
    """The unauthenticated sockets of one gateway."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken = 0
        self._by_origin: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken

    def seat(self, address: str) -> Seat:
        """Take a place. Raises `Full`."""
        most, of_one = self._limits.greeted_max, self._limits.greeted_per_address_max
        if self._taken >= most:
            raise Full("anteroom_full", f"{most} sockets here have not said who they are; come back")
        origin = network_of(address)
        if origin is not None and self._by_origin[origin] >= of_one:
            raise Full("address_full", f"{of_one} sockets of this address have not said who they are; come back")
        self._taken += 1
        if origin is not None:
            self._by_origin[origin] += 1
        return Seat(self, origin)

    def leave(self, origin: str | None) -> None:
        """Make the place free again."""
        self._taken -= 1
        if origin is not None:
            self._by_origin[origin] -= 1
            if not self._by_origin[origin]:
                del self._by_origin[origin]


def network_of(address: str) -> str | None:
    """Return who is behind an address: itself, or the /64 of an IPv6 one; None for this machine, and for no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if found.is_loopback:
        return None
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return network_of(str(found.ipv4_mapped))
    return str(ip_network((found, 64), strict=False))
