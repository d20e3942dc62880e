"""Saving challenges beyond their worked examples: weeks, limits, timers, names that tell nothing."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.behaviour import Refused
from engine.commands import DepositToJar, OpenUser, ReportResult
from engine.commands.saving_challenges import JoinChallenge, TickChallenge
from engine.events import TimerSet
from engine.groups.commands import OpenGroup
from engine.hosting import BEHAVIOUR
from engine.rewards import leaderboards, saving_challenges
from engine.rewards.saving_book import ENDED_KEPT, RUNNING_MAX
from engine.rewards.saving_challenges import GetChallenges
from tests.support.person import Person
from tests.support.town import Town

AT = datetime(2026, 11, 2, 4, tzinfo=UTC)


@given(st.integers(1, 10_000), st.integers(0, 10**9))
def test_weeks_are_covered_by_what_they_save_together(step: int, amount: int) -> None:
    weeks = saving_challenges.weeks_kept(step, amount)
    assert saving_challenges.week_total(step, weeks) <= amount
    assert weeks == 52 or amount < saving_challenges.week_total(step, weeks + 1)


def test_a_challenge_runs_by_its_timer_and_ends_by_itself() -> None:
    person = Person(at=AT)
    person.do(JoinChallenge(kind="no_spend_days", days=3, within_days=5), AT)
    fired = person.wait(AT + timedelta(days=10))
    assert [turn.at for turn in fired] == [datetime(2026, 11, day, 18, 30, tzinfo=UTC) for day in (2, 3, 4)]
    assert not person.timers
    assert [one.outcome for one in person.state.saving.ended] == ["completed"]


def test_a_timer_of_a_challenge_that_is_over_does_nothing() -> None:
    person = Person(at=AT)
    assert not person.do(TickChallenge(challenge_id="none"), AT).events


def test_the_day_ends_where_the_person_lives() -> None:
    person = Person(at=AT)
    turn = person.do(JoinChallenge(kind="no_spend_days"), datetime(2026, 11, 2, 20, tzinfo=UTC))
    assert turn.events[0].starts_on == date(2026, 11, 3)
    assert [e.due for e in turn.events if type(e) is TimerSet] == [datetime(2026, 11, 3, 18, 30, tzinfo=UTC)]


def test_challenges_are_bounded() -> None:
    person = Person(at=AT)
    for _ in range(RUNNING_MAX):
        person.do(JoinChallenge(kind="no_spend_days", days=1, within_days=1), AT)
    with pytest.raises(Refused, match="leave one first"):
        person.do(JoinChallenge(kind="no_spend_days"), AT)
    for day in range(3):
        person.wait(AT + timedelta(days=day + 1))
        for _ in range(RUNNING_MAX):
            person.do(JoinChallenge(kind="no_spend_days", days=1, within_days=1), AT + timedelta(days=day + 1))
    assert len(person.state.saving.ended) == ENDED_KEPT


def test_one_read_gives_the_catalogue_and_ones_own() -> None:
    person = Person(at=AT)
    person.do(JoinChallenge(kind="week_52", amount=1_000), AT)
    shown = person.ask(GetChallenges(), AT + timedelta(days=8))
    assert [entry["kind"] for entry in shown["catalogue"]] == ["no_spend_days", "week_52", "save_by_date"]
    assert [(one["state"], one["due"], one["progress"]) for one in shown["items"]] == [("running", 3_000, 0)]


def test_a_score_goes_out_and_is_kept_in_the_same_turn() -> None:
    person = Person(at=AT)
    turn = person.do(JoinChallenge(kind="no_spend_days", board="tenant"), AT)
    (record,) = BEHAVIOUR.rows(turn).records
    (row,) = [row for row in BEHAVIOUR.rows(turn).outbox if row.channel == leaderboards.CHANNEL]
    sent = leaderboards.read(row.body)
    assert (record.kind, record.record_id, record.state, record.amount) == (
        "board:no_spend_days-2026-11",
        sent.member,
        "shown",
        0,
    )
    assert sent.pseudonym == record.sealed.decode()
    assert person.state.user_id not in msgspec.json.encode(sent).decode()


def test_generated_names_differ_and_are_short() -> None:
    names = {leaderboards.generated(str(number)) for number in range(200)}
    assert len(names) > 190
    assert max(map(len, names)) <= 30


def test_a_member_of_a_group_competes_in_it() -> None:
    town = Town(AT)
    town.person("asha")
    town.tell("~goa", OpenGroup(name="Goa", currency="INR", member="asha"))
    town.deliver_all()
    begun = town.tell("asha", JoinChallenge(kind="no_spend_days", board="group", group_id="goa"))
    assert begun["leaderboard_id"] == "no_spend_days-goa"
    with pytest.raises(Refused, match="goes with board"):
        town.tell("asha", JoinChallenge(kind="no_spend_days", board="tenant", group_id="goa"))


def test_in_a_live_tenant_only_moved_money_counts_on_a_leaderboard() -> None:
    live = Town(AT)
    state = live.person("asha", OpenUser(tenant_mode="live"))
    live.tell("asha", JoinChallenge(kind="save_by_date", amount=1_000, until=date(2026, 11, 30), board="tenant"))
    live.tell("asha", DepositToJar(jar_id=state.default_jar_id, amount=400))
    live.wait(AT + timedelta(days=1))
    (one,) = state.saving.running.values()
    assert (one.score, saving_challenges.progress(state, one, date(2026, 11, 3))) == (0, 400)
    (asked,) = state.settlement.open
    live.tell("asha", ReportResult(instruction_id=asked, status="done"))
    live.wait(AT + timedelta(days=2))
    assert one.score == 40


def test_in_a_live_tenant_no_spend_days_have_no_leaderboard() -> None:
    live = Town(AT)
    live.person("asha", OpenUser(tenant_mode="live"))
    live.tell("asha", JoinChallenge(kind="no_spend_days"))
    with pytest.raises(Refused, match="did not report"):
        live.tell("asha", JoinChallenge(kind="no_spend_days", board="tenant"))
