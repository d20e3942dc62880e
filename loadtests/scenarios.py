"""The scenarios: what is going on, for how long, and what is done to it. Any field can be set on the command line."""

from collections.abc import Mapping

from msgspec import Struct, structs

from loadtests.lines import Weather
from loadtests.skew import BACKLOG_PEAK, YCSB_EXPONENT, Bursts


class Scenario(Struct, frozen=True, kw_only=True):
    """A run. Rates are events a second; times are seconds."""

    name: str
    users: int = 300
    """People with a socket in the holder."""
    phones: int = 10
    """People with a whole journey in Locust, beside the others."""
    watchers: int = 2
    """Dashboards: read only."""
    rate: float = 100.0
    """Events of wallets, all together, outside bursts."""
    single_share: float = 0.5
    """Share of them that come one a request; the rest in batches of 1 to 200."""
    duration_s: float = 30.0
    """What is measured, after the warm-up."""
    warmup_s: float = 5.0
    """Before anything is measured; it counts for the reconciliation."""
    zipf: float = YCSB_EXPONENT
    bursts: Bursts = Bursts()
    weather: Weather = Weather()
    storm: int = 0
    """Sockets dropped at once, in the middle."""
    kills: tuple[str, ...] = ()
    """Parts killed with SIGKILL, spread over the run: `live`, `shard`."""
    open_per_s: float = 250.0
    feed: bool = True
    """A tenant's back end reads `GET /feed`, and nothing may be missing there."""


BAD_DAY = Weather(goes=0.06, resets=0.02, lags=0.01, silent=0.01)
"""A tenth of all lines misbehave now and then."""

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="steady", weather=BAD_DAY),
        Scenario(name="burst", duration_s=60.0, rate=50.0, bursts=Bursts(BACKLOG_PEAK), weather=BAD_DAY),
        Scenario(name="reconnect-storm", users=3_000, storm=3_000, duration_s=40.0, rate=50.0),
        Scenario(
            name="soak", users=7_000, rate=500.0, duration_s=600.0, zipf=0.0, single_share=1.0, warmup_s=15.0, phones=20
        ),
        Scenario(name="failover", users=200, rate=50.0, duration_s=60.0, kills=("live", "shard"), weather=BAD_DAY),
    )
}


def chosen(name: str, **changes: float | int | None) -> Scenario:
    """Return a scenario with what was set on the command line; None leaves its own. Raises `ValueError`."""
    if name not in SCENARIOS:
        raise ValueError(f"SCENARIO is {name!r}: expected one of {', '.join(SCENARIOS)}")
    scenario = structs.replace(SCENARIOS[name], **{k: v for k, v in changes.items() if v is not None})
    if scenario.users < 1 or scenario.rate <= 0 or scenario.duration_s <= 0:
        raise ValueError(
            f"{scenario.users} users, {scenario.rate} events/s for {scenario.duration_s} s: expected some of each"
        )
    return structs.replace(scenario, storm=min(scenario.storm, scenario.users))
