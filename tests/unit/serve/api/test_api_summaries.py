"""Weekly summaries over REST."""

from datetime import UTC, datetime
from pathlib import Path

from engine.commands import MakeSummary
from tests.support.person import Person
from tests.support.rest import serving


async def test_without_any_week_the_list_is_empty_and_pages_are_checked(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        answer = await rest.http.get("/api/v1/summaries", headers=rest.bearer())
        assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})
        bad = await rest.http.get("/api/v1/summaries?cursor=nothing", headers=rest.bearer())
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "cursor")


def test_nobody_can_ask_for_a_summary_before_its_time() -> None:
    at = datetime(2026, 11, 18, 6, tzinfo=UTC)
    person = Person(at=at)
    assert all("summary_made" not in str(event) for event in person.do(MakeSummary(), at).events)
