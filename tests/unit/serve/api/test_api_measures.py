"""What REST counts: by route and status, also what fits no route, and requests whose client is gone."""

import asyncio
from pathlib import Path

import msgspec

from serve.api.measures import NO_ROUTE, ApiMeasures
from tests.acceptance.boond import purchase
from tests.support.rest import serving


def in_flight(measures: ApiMeasures) -> float:
    [series] = [series for series in measures.series() if series.family == "boond_http_requests_in_flight"]
    return series.values[0]


async def test_requests_are_counted_by_route_and_status_never_by_path(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        path = "/api/v1/transactions"
        await rest.http.post(path, json=purchase("T1", 100), headers=rest.bearer())
        await rest.http.post(path, json={"amount": "much"}, headers=rest.bearer())
        await rest.http.get("/api/v1/jars/one-of-mine", headers=rest.bearer())
        await rest.http.get("/api/v1/no-such-path")
        requests = rest.measures.requests
        assert requests.value("POST", "/transactions", "201") == 1
        assert requests.value("POST", "/transactions", "422") == 1
        assert requests.value("GET", "/jars/{jar_id}", "404") == 1
        assert requests.value("(any)", NO_ROUTE, "404") == 1
        assert rest.measures.seconds.count("/transactions") == 2
        assert in_flight(rest.measures) == 0


async def test_a_request_whose_client_is_gone_is_in_flight_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        rest.journal.gate.clear()
        paying = asyncio.create_task(
            rest.http.post("/api/v1/transactions", json=purchase("T1", 100), headers=rest.bearer())
        )
        async with asyncio.timeout(20):
            while not in_flight(rest.measures):
                await asyncio.sleep(0)
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)
        rest.journal.gate.set()
        assert in_flight(rest.measures) == 0
        assert rest.measures.requests.value("POST", "/transactions", "201") == 0


async def test_where_nothing_is_counted_there_is_no_endpoint(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        answer = await rest.http.get("/api/v1/metrics")
        assert answer.status_code == 404
        assert "BOOND_METRICS" in msgspec.json.decode(answer.content)["detail"]
