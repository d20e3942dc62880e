"""Events of a user's part in groups. Amounts in minor units of the home currency, which is the group's."""

from datetime import date, datetime

from msgspec import Struct

from engine.events.types import Posting


class GroupPledged(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_pledged"):
    """Money is reserved for a group until it answers; `jar_id` None: promised from the wallet."""

    transfer_id: str
    at: datetime
    local_date: date
    group_id: str
    group_name: str
    amount: int
    currency: str
    postings: list[Posting]
    jar_id: str | None = None


class GroupContributed(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_contributed"
):
    """The group has credited it: the money is the user's share there."""

    transfer_id: str
    at: datetime
    local_date: date
    group_id: str
    amount: int
    postings: list[Posting]
    jar_id: str | None = None


class GroupPledgeVoided(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_pledge_voided"
):
    """The group refused it: the money is back where it came from."""

    transfer_id: str
    at: datetime
    group_id: str
    amount: int
    reason: str
    postings: list[Posting]
    jar_id: str | None = None


class GroupJoined(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_joined"):
    """The user is a member of a group."""

    at: datetime
    group_id: str
    name: str


class GroupLeft(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_left"):
    """The user is no member of a group any more."""

    at: datetime
    group_id: str


class GroupPaidOut(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_paid_out"):
    """A share came back: what was only promised is promised no more, the rest (`to_jar`) is in `jar_id`."""

    transfer_id: str
    at: datetime
    group_id: str
    amount: int
    postings: list[Posting]
    jar_id: str
    to_jar: int = 0


class GroupSpent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="group_spent"):
    """The group bought something; `amount` came from the user's share."""

    purchase_id: str
    at: datetime
    group_id: str
    amount: int
    postings: list[Posting]
    description: str | None = None


GroupsEvent = GroupPledged | GroupContributed | GroupPledgeVoided | GroupJoined | GroupLeft | GroupPaidOut | GroupSpent
