"""Transfers between a person's own jars. Rules: docs/domain.md, "Transfers between jars".

Settled money goes first, then what is promised. What is provisional, scheduled or reserved stays: its payment, sweep or
withdrawal is under way and names this jar.
"""

from datetime import date

from engine.behaviour import Context, Refused, invalid
from engine.commands import TransferToJar
from engine.events import JarTransferred, Posting
from engine.jars import jars, locks
from engine.jars.jars import Jar
from engine.ledger import Ledger, jar_account, transfer

MOVABLE = ("settled", "accrued")


def decide(
    known: dict[str, Jar], ledger: Ledger, command: TransferToJar, context: Context, today: date, currency: str
) -> JarTransferred:
    """Decide a transfer. Raises `Refused`: 409 with what can move, or with the room of the jar that receives."""
    source = jars.find(known, command.jar_id)
    if command.to_jar == source.jar_id or command.to_jar not in known:
        raise invalid("to_jar", f"{command.to_jar!r} is not another of the user's jars")
    locks.refuse_locked(source, context.at)
    held = {stage: ledger.balance(jar_account(source.jar_id, stage), currency) for stage in MOVABLE}
    movable = sum(held.values())
    if command.amount > movable:
        raise Refused(
            "conflict",
            f"{source.name} can give {movable} of the {source.saved} it holds; the rest is still on its way",
            balance=source.saved,
            movable=movable,
        )
    target = known[command.to_jar]
    if target.room is not None and command.amount > target.room:
        raise Refused("conflict", f"{target.name} stops at its target and has room for {target.room}", room=target.room)
    postings: list[Posting] = []
    left = command.amount
    for stage, amount in held.items():
        part = min(left, amount)
        postings += transfer(jar_account(target.jar_id, stage), jar_account(source.jar_id, stage), part, currency)
        left -= part
    return JarTransferred(
        transfer_id=context.new_id(),
        jar_id=source.jar_id,
        to_jar=target.jar_id,
        at=context.at,
        local_date=today,
        amount=command.amount,
        postings=postings,
    )
