"""Journals that earlier releases wrote are read by this one, and mean what they meant (`tests/golden/README.md`)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from engine.alerts import AlertView
from engine.behaviour import Behaviour, Context, Facts, Refused, Turn
from engine.commands import EditTransaction, RecordTransaction
from engine.groups.hosting import GROUP_BEHAVIOUR
from engine.letters import GROUP_MARK
from engine.payments import standing
from engine.queries import GetOverview
from engine.state import UserState
from engine.views import TransactionView
from tests.support import golden
from tests.support.golden import Life, differences
from tests.support.outside import Told
from tests.support.person import BEHAVIOUR

LIVES = [pytest.param(life, id=f"{path.name}: {life.life}") for path in golden.files() for life in golden.lives(path)]


def behaviour_of(life: Life) -> Behaviour:
    return GROUP_BEHAVIOUR if life.entity_id.split("/")[1].startswith(GROUP_MARK) else BEHAVIOUR


def turns(life: Life) -> Iterator[Turn]:
    for seq, turn in enumerate(life.turns, start=1):
        yield Turn(life.entity_id, seq, turn.at, *behaviour_of(life).decode_turn(turn.body))


def replayed(life: Life) -> Any:
    behaviour = behaviour_of(life)
    state = behaviour.initial(life.entity_id)
    for turn in turns(life):
        for event in turn.events:
            behaviour.evolve(state, event)
    return state


def rows(life: Life) -> dict[str, TransactionView]:
    read = [BEHAVIOUR.decode_transaction(row) for turn in life.turns for row in turn.rows]
    return {view.transaction_id: view for view in read}


def test_every_release_so_far_is_here() -> None:
    assert [golden.release(path).commit for path in golden.files()] == ["0baa6ff", "eae72ff"]
    assert len(LIVES) > 40


@pytest.mark.parametrize("life", LIVES)
def test_an_old_journal_gives_the_state_it_gave(life: Life) -> None:
    state = replayed(life)
    assert state.ledger.balances == life.balances
    assert all(sum(book.values()) == 0 for book in state.ledger.balances.values())
    if life.overview:
        overview = msgspec.json.decode(BEHAVIOUR.query(state, GetOverview(), life.read_at, len(life.turns)))
        assert list(differences(life.overview, overview)) == []


@pytest.mark.parametrize("life", LIVES)
def test_an_old_turn_is_answered_as_it_was(life: Life) -> None:
    """A repeat of an old command, and a socket that resumes from before the upgrade, are told what was told."""
    behaviour = behaviour_of(life)
    for known, turn in zip(life.turns, turns(life), strict=True):
        if not known.command:
            continue
        assert list(differences(known.answer, msgspec.json.decode(behaviour.answer(turn)))) == []
        repeated: Any = msgspec.json.decode(behaviour.answer(turn, duplicate=True))
        if isinstance(known.answer, dict) and isinstance(known.answer.get("duplicate"), bool):
            assert list(differences(known.answer | {"duplicate": True}, repeated)) == []
        assert msgspec.json.decode(behaviour.push(turn)) is not None


@pytest.mark.parametrize("life", LIVES)
def test_an_old_command_has_the_hash_it_had(life: Life) -> None:
    """Idempotency compares the encoded command: a repeat from before the upgrade must encode as it did."""
    for turn in life.turns:
        for command in (turn.command, *turn.timers):
            assert not command or msgspec.msgpack.encode(behaviour_of(life).decode_command(command)) == command


@pytest.mark.parametrize("life", LIVES)
def test_old_rows_are_read_and_say_what_the_events_say(life: Life) -> None:
    for known, turn in zip(life.turns, turns(life), strict=True):
        written = behaviour_of(life).rows(turn).transactions
        assert len(written) == len(known.rows)
        for old, now in zip(known.rows, written, strict=True):
            assert list(differences(msgspec.msgpack.decode(old), msgspec.msgpack.decode(now.sealed))) == []
            assert BEHAVIOUR.decode_transaction(old).transaction_id == now.transaction_id
        for alert in known.alerts:
            assert msgspec.msgpack.decode(alert, type=AlertView).message


@pytest.mark.parametrize("life", LIVES)
def test_life_goes_on_from_an_old_journal(life: Life) -> None:
    """Each old transaction can be given another category, be refunded, amended and reversed, from its old row."""
    for transaction_id in rows(life):
        state, known = replayed(life), rows(life)
        for command in (_other_category, _refund, _amended, _reversed):
            _carry_on(state, life, known, command(known[transaction_id]))
        assert all(sum(book.values()) == 0 for book in state.ledger.balances.values())
        assert all(amount >= 0 for account, amount in _home(state).items() if account.startswith("jar:"))
        for category in {view.category for view in known.values()}:
            listed = sum(
                one.amount for view in known.values() for one in standing.spent(view) if one.category == category
            )
            assert _home(state).get(f"expense:{category}", 0) == listed


def _home(state: UserState) -> dict[str, int]:
    return state.ledger.balances.get(state.profile.currency, {})


def _other_category(view: TransactionView) -> Any:
    return EditTransaction(transaction_id=view.transaction_id, category="other")


def _amended(view: TransactionView) -> Any:
    return _again(view, "settled", view.amount + 1, 1)


def _reversed(view: TransactionView) -> Any:
    return _again(view, "reversed", view.amount, 1)


def _again(view: TransactionView, status: Any, amount: int, revision: int) -> RecordTransaction:
    return RecordTransaction(
        external_id=view.external_id,
        source=view.source,
        origin=view.origin,
        amount=amount,
        currency=view.currency,
        kind=view.kind,  # type: ignore[arg-type]
        status=status,
        revision=revision,
    )


def _refund(view: TransactionView) -> RecordTransaction:
    return RecordTransaction(
        external_id=f"refund of {view.external_id}",
        source=view.source,
        origin=view.origin,
        amount=max(1, view.amount - view.refunded_amount),
        currency=view.currency,
        kind="refund",
        original_external_id=view.external_id,
    )


def _carry_on(state: UserState, life: Life, known: dict[str, TransactionView], command: Any) -> None:
    ids = (f"new-{number}" for number in range(100))
    facts = Facts(dict(known), {(view.origin, view.source, view.external_id): view for view in known.values()})
    seq = len(life.turns) + 1
    context = Context(life.read_at, seq, ids.__next__, None, Told())
    try:
        decision = BEHAVIOUR.decide(state, command, facts, context)
    except Refused:
        return
    events, result = BEHAVIOUR.decode_turn(BEHAVIOUR.encode_turn(decision.events, decision.result))
    for event in events:
        BEHAVIOUR.evolve(state, event)
    turn = Turn(life.entity_id, seq, life.read_at, events, result, decision.outbox)
    for row in BEHAVIOUR.rows(turn).transactions:
        known[row.transaction_id] = BEHAVIOUR.decode_transaction(row.sealed)
