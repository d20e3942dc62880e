"""Budgets and categories over REST."""

from pathlib import Path
from typing import Any

from tests.support.rest import Rest, serving

V = "/api/v1"


async def put(rest: Rest, category: str, **body: Any) -> Any:
    answer = await rest.http.put(f"{V}/budgets/{category}", json=body, headers=rest.bearer())
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_budget_keeps_base_carried_and_spent_apart_and_begins_on_any_day(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        shown = await put(rest, "food", limit=100_000, rollover="all", starts_on=31)
        assert {"base": 100_000, "carried": 0, "limit": 100_000, "spent": 0, "rollover": "all"}.items() <= shown.items()
        assert (shown["period_start"], shown["period_end"]) == ("2026-10-31", "2026-11-30")
        bad = await rest.http.put(f"{V}/budgets/food", json={"limit": 1, "rollover": "some"}, headers=rest.bearer())
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "rollover")


async def test_categories_are_listed_made_renamed_and_archived(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        made = await rest.http.post(f"{V}/categories", json={"name": "Chai", "parent": "food"}, headers=rest.bearer())
        assert (made.status_code, made.json()["slug"]) == (201, "chai")
        path = f"{V}/categories/chai"
        renamed = await rest.http.patch(path, json={"names": {"id": "Teh"}, "archived": True}, headers=rest.bearer())
        assert (renamed.status_code, renamed.json()["archived"]) == (200, True)
        listed = (await rest.http.get(f"{V}/categories?limit=500", headers=rest.bearer())).json()["items"]
        assert "chai" not in {one["slug"] for one in listed}
        query = f"{V}/categories?limit=500&archived=true&locale=id"
        names = {
            one["slug"]: one["name"] for one in (await rest.http.get(query, headers=rest.bearer())).json()["items"]
        }
        assert (names["chai"], names["food"]) == ("Teh", "Makan di luar")


async def test_bad_categories_name_the_field_and_the_way_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:

        async def refused(method: str, path: str, body: dict[str, Any]) -> tuple[int, str | None]:
            answer = await rest.http.request(method, V + path, json=body, headers=rest.bearer())
            errors = answer.json().get("errors") or [{"field": None}]
            return answer.status_code, errors[0]["field"]

        assert await refused("POST", "/categories", {"name": "Chai", "parent": "nowhere"}) == (422, "parent")
        assert await refused("POST", "/categories", {"name": ""}) == (422, "name")
        assert await refused("POST", "/categories", {"name": "Chai", "names": {"english": "Chai"}}) == (422, "names")
        assert await refused("POST", "/categories", {"name": "Chai", "colour": "red"}) == (422, "colour")
        assert await refused("PATCH", "/categories/food", {"name": "Nosh"}) == (409, None)
        assert await refused("PATCH", "/categories/chai", {"name": "Tea"}) == (404, None)
        assert await refused("PATCH", "/categories/chai", {"slug": "tea"}) == (422, "slug")
