"""Commands on the second factor."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.commands.types import ExternalId


class Confirm(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="confirm"):
    """Carry out the action of a challenge. `proof` is the keyed digest of the code, never the code itself."""

    challenge_id: ExternalId
    proof: Annotated[str, Meta(max_length=128, pattern="^[0-9a-f]*$")]
    action: str
    """The tag of the command that the challenge must be for."""
    where: dict[str, str] = {}
    """Fields of that command which must have these values: the jar of the path."""
