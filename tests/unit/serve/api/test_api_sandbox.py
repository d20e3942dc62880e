"""Who may put the clock forward, and how."""

from datetime import UTC, datetime
from pathlib import Path

from actors.clock import ClockRefused, ClockState
from tests.support.rest import serving

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Table:
    """A clock that moves, once."""

    def __init__(self) -> None:
        self.now = AT

    async def state(self) -> ClockState:
        return ClockState(self.now, 0.0, 0)

    async def advance(self, to: datetime) -> ClockState:
        if to <= self.now:
            raise ClockRefused("is not after now")
        self.now = to.astimezone(UTC)
        return ClockState(self.now, 5.0, 3)


async def test_a_service_or_an_admin_puts_the_clock_of_a_sandbox_forward(tmp_path: Path) -> None:
    async with serving(tmp_path, clock_table=Table()) as rest:
        for role in ("service", "admin"):
            bearer = rest.bearer("ops", role)
            assert (await rest.http.get("/api/v1/sandbox/clock", headers=bearer)).status_code == 200
        later = {"advance_to": "2026-12-04T14:30:00+05:30"}
        moved = await rest.http.post("/api/v1/sandbox/clock", json=later, headers=bearer)
        assert (moved.status_code, moved.json()) == (
            200,
            {"now": "2026-12-04T09:00:00Z", "ahead_s": 5.0, "timers_due": 3},
        )
        back = await rest.http.post("/api/v1/sandbox/clock", json=later, headers=bearer)
        assert (back.status_code, back.json()["errors"][0]["field"]) == (422, "advance_to")
        for wrong in ({"advance_to": "2026-12-04T09:00:00"}, {"advance_to": 5}, {}, {**later, "x": 1}):
            assert (await rest.http.post("/api/v1/sandbox/clock", json=wrong, headers=bearer)).status_code == 422
        mine = await rest.http.post("/api/v1/sandbox/clock", json=later, headers=rest.bearer())
        assert mine.status_code == 403


async def test_what_is_no_sandbox_keeps_the_real_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        bearer = rest.bearer("ops", "admin")
        answer = await rest.http.post(
            "/api/v1/sandbox/clock", json={"advance_to": "2030-01-01T00:00:00Z"}, headers=bearer
        )
        assert answer.status_code == 404
