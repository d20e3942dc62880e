"""The second factor: what is kept, what is sent, and what nobody can read back."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from engine import commands as c
from engine.behaviour import Refused
from engine.challenge_book import KEPT_MAX, WRONG_A_DAY_MAX
from tests.support.person import BEHAVIOUR, Person, replayed

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def asking(person: Person, at: datetime = AT) -> str:
    """Ask to raise a cap; return the challenge."""
    person.do(c.UpdateProfile(rounding=c.RoundingPatch(event_cap=60_000)), at)
    return str(person.answer()["challenge_id"])


def confirming(person: Person, challenge_id: str, code: str, at: datetime = AT) -> None:
    proof = person.outside.digest(challenge_id, code)
    person.do(c.Confirm(challenge_id=challenge_id, proof=proof, action="raise_caps"), at)


def test_the_code_is_sent_once_and_is_in_no_turn_answer_push_or_state() -> None:
    person = Person(at=AT)
    challenge_id = asking(person)
    code = person.outside.codes[-1]
    (sent,) = [msgspec.msgpack.decode(row.body) for row in person.outbox]
    assert sent == {
        "user_id": "u1",
        "channel": "otp",
        "template": "raise_caps",
        "code": code,
        "challenge_id": challenge_id,
        "expires_at": "2026-11-20T06:05:00+00:00",
        "action": {
            "type": "raise_caps",
            "changes": {"type": "update_profile", "rounding": {"event_cap": 60_000}},
            "currency": "INR",
        },
    }
    confirming(person, challenge_id, code)
    turns = [(BEHAVIOUR.answer(turn), BEHAVIOUR.push(turn)) for turn in person.turns]
    told = [*person.bodies, *(part for turn in turns for part in turn), BEHAVIOUR.encode_state(person.state)]
    assert not any(code.encode() in part for part in told)
    assert not any(person.outside.digest(challenge_id, code).encode() in part for turn in turns for part in turn)


def test_a_state_remembers_a_bounded_number_of_challenges_and_a_replay_the_same_ones() -> None:
    person = Person(at=AT)
    asked = []
    for number in range(KEPT_MAX + 3):
        at = AT + timedelta(minutes=6 * number)
        asked.append(asking(person, at))
        confirming(person, asked[-1], person.outside.codes[-1], at)
        person.do(c.UpdateProfile(rounding=c.RoundingPatch(event_cap=100)), at)
    assert list(person.state.challenges.known) == asked[3:]
    assert replayed(person.bodies, snapshot_at=20) == person.state


def test_a_challenge_that_still_waits_is_not_forgotten_for_newer_ones() -> None:
    person = Person(at=AT)
    first = asking(person)
    code = person.outside.codes[-1]
    for _ in range(KEPT_MAX + 1):
        confirming(person, asking(person), person.outside.codes[-1])
        person.do(c.UpdateProfile(rounding=c.RoundingPatch(event_cap=100)), AT)
    confirming(person, first, code)
    assert person.state.profile.rounding.event_cap == 60_000


def test_an_action_that_is_refused_leaves_its_challenge_open() -> None:
    person = Person(at=AT)
    challenge_id = asking(person)
    person.do(c.UpdateProfile(currency="JPY"), AT)
    with pytest.raises(Refused):
        confirming(person, challenge_id, person.outside.codes[-1])
    person.do(c.UpdateProfile(currency="INR"), AT)
    confirming(person, challenge_id, person.outside.codes[-1])
    assert person.state.profile.rounding.event_cap == 60_000


def test_any_text_may_be_sent_as_a_proof() -> None:
    with pytest.raises(msgspec.ValidationError):
        BEHAVIOUR.decode_command(msgspec.msgpack.encode(c.Confirm(challenge_id="x", proof="é", action="raise_caps")))


def test_after_20_wrong_codes_in_a_day_none_is_taken_not_even_of_what_was_asked_before() -> None:
    """Found by review: the tries of five open challenges came on top of the 20 (up to 44 chances a day)."""
    person = Person(at=AT)
    asked = [asking(person) for _ in range(5)]
    for challenge_id in asked[:4]:
        for _ in range(5):
            confirming(person, challenge_id, "000000")
    assert person.state.challenges.wrong_on(AT) == WRONG_A_DAY_MAX
    for code in ("000000", person.outside.codes[-1]):
        with pytest.raises(Refused) as refused:
            confirming(person, asked[4], code)
        assert refused.value.code == "too_many"
    assert person.state.challenges.wrong_on(AT) == WRONG_A_DAY_MAX
