"""Commands on a user's part in groups. Those without an amount of choice are letters from a group: never refused.

`group_name` and `currency` come from the group itself, which was asked whether the user is a member.
"""

from typing import Literal

from msgspec import Struct

from engine.commands.types import Currency, Name, PositiveAmount, Text


class GroupContribution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An amount for a group, in minor units of its currency, which is the user's."""

    group_id: str
    group_name: Name
    currency: Currency
    amount: PositiveAmount


class ContributeToGroup(GroupContribution, frozen=True, kw_only=True, omit_defaults=True, tag="contribute_to_group"):
    """Promise money from the wallet to a group."""


class AskJarContribution(GroupContribution, frozen=True, kw_only=True, omit_defaults=True, tag="ask_jar_contribution"):
    """Ask for the second factor of a contribution from a jar."""

    jar_id: str


class ContributeFromJar(GroupContribution, frozen=True, kw_only=True, omit_defaults=True, tag="contribute_from_jar"):
    """Move settled money of a jar to a group: the action of a challenge."""

    jar_id: str


class PostContribution(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="post_contribution"):
    """The group has credited what was reserved."""

    transfer_id: str


class VoidContribution(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="void_contribution"):
    """The group does not take what was reserved: it goes back."""

    transfer_id: str
    reason: str


class NoteMembership(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="note_membership"):
    """The user is a member of a group."""

    group_id: str
    group_name: str


class NoteLeaving(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="note_leaving"):
    """The user is no member of a group any more."""

    group_id: str


class TakePayout(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="take_payout"):
    """A share, or a part of it, comes back to its owner."""

    transfer_id: str
    group_id: str
    group_name: str
    amount: int
    currency: str


class TakePurchase(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="take_purchase"):
    """The group bought something; `amount` of it, as the user approved, came from the user's share."""

    purchase_id: str
    group_id: str
    group_name: str
    amount: int
    currency: str
    description: Text | None = None


class HearFromGroup(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="hear_from_group"):
    """Something to tell the user about a proposal of a group."""

    group_id: str
    group_name: str
    proposal_id: str
    topic: Literal["asked", "done", "rejected", "expired"]
    kind: Literal["purchase", "payout"]
    by: str
    amount: int | None = None
    part: int | None = None
    currency: str = ""
    description: Text | None = None


GroupsCommand = (
    ContributeToGroup
    | AskJarContribution
    | ContributeFromJar
    | PostContribution
    | VoidContribution
    | NoteMembership
    | NoteLeaving
    | TakePayout
    | TakePurchase
    | HearFromGroup
)

LETTERS = frozenset((PostContribution, VoidContribution, TakePurchase))
"""What must be carried out even when the books are full: the room was there when the money was reserved."""
