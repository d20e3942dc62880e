"""Who asks: the identity that a verified credential stands for."""

import re
from typing import Literal, get_args

from msgspec import Struct

from serve.auth.errors import InputRefused

Role = Literal["user", "service", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:+-]{0,127}")
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_user_id(user_id: str) -> str:
    """Return the id unchanged; raise `InputRefused` unless it can stand in an entity id (`tenant/user`)."""
    if not _USER_ID.fullmatch(user_id):
        raise InputRefused("user_id", "expected 1-128 of A-Z a-z 0-9 _ . @ : + -, beginning with a letter or a digit")
    return user_id


def check_tenant(tenant: str) -> str:
    """Return the tenant unchanged; raise `InputRefused` unless it is a lower-case slug of at most 63 characters."""
    if not _TENANT.fullmatch(tenant):
        raise InputRefused("tenant", "expected 1-63 of a-z 0-9 _ -, beginning with a letter or a digit")
    return tenant


class Principal(Struct, frozen=True, kw_only=True):
    """A verified identity. Of a service the `user_id` is the name of its key; `expires_at` is in epoch seconds.

    `session` names what a log-out ends: the refresh family of a person, the token itself where there is none.
    """

    user_id: str
    tenant: str
    role: Role
    session: str
    expires_at: int

    @property
    def entity_id(self) -> str:
        """The virtual actor of this person."""
        return f"{self.tenant}/{self.user_id}"

    @property
    def origin(self) -> str:
        """Who reports an event, as part of its identity: nothing a body says can change it."""
        return f"service:{self.user_id}" if self.role == "service" else "user"

    @property
    def name(self) -> str:
        """The principal as the journal and command ids spell it."""
        return f"{self.role}:{self.tenant}/{self.user_id}"
