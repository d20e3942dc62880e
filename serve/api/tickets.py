"""Tickets for the live stream. The call is answered by the `live` application, below its own prefix."""

import msgspec

from engine.queries import GetProfile
from serve import envelopes
from serve.api.routing import Answer, Call, answered, route
from serve.auth.tickets import Ticket
from serve.problems import Trouble


async def buy(call: Call) -> Answer:
    """Get a ticket: it opens one socket or stream, once, within 30 s."""
    buyer = call.caller
    if buyer.role == "admin":
        raise Trouble(403, "A stream belongs to its user: only the user or a service gets a ticket.", name="forbidden")
    # As any call of a user or a service does, it opens a user nobody knows yet.
    answered(await call.submit(envelopes.query(buyer, call.entity_id, GetProfile())))
    user_id = call.entity_id.partition("/")[2]
    return Answer(msgspec.json.encode(call.services.tickets.issue(buyer, user_id)), 201)


ROUTES = [route("POST /live/ticket", buy, tag="live", status=201, answer=Ticket)]
