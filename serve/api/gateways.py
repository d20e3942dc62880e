"""Where to open sockets without the front door. The call is answered by the `live` application, below its prefix."""

import msgspec
from msgspec import Struct

from serve.api.routing import PREFIX, Answer, Call, route


class Gateways(Struct, frozen=True):
    """Addresses of the live socket; empty where only the front door takes sockets."""

    gateways: list[str]


async def known(call: Call) -> Answer:
    """List where sockets may be opened past the front door."""
    addresses = await call.services.gateways()
    urls = [address.url(call.host, f"{PREFIX}/live") for address in addresses]
    return Answer(msgspec.json.encode(Gateways(urls)))


ROUTES = [route("GET /live/gateways", known, tag="live", answer=Gateways)]
