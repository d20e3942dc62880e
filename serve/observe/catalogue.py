"""Every family of metrics there is, by whom it is counted; docs/operations.md shows the same table."""

from actors.measures import LaneMeasures, ShardMeasures
from actors.meters import Family, Kind
from actors.process import ProcessMeasures
from serve.api.measures import ApiMeasures
from serve.live.measures import LiveMeasures

UP = Family("boond_up", "1 for a process that answered or has just reported, 0 for a shard that did not", Kind.GAUGE)
REPORT_AGE = Family("boond_report_age_seconds", "How old the figures of a process are", Kind.GAUGE)

PROCESS_LABEL = "process"
"""On every series: `shard-0`, `live-3f2a1c`, `api-9b0c7d`. The names of replicas change when they start again."""

AREAS: dict[str, list[Family]] = {
    "The endpoint": [UP, REPORT_AGE],
    "Sockets": LiveMeasures().families,
    "REST": ApiMeasures().families,
    "The way to the shards": LaneMeasures().families,
    "Shards": ShardMeasures().families,
    "Processes": ProcessMeasures("").families,
}
FAMILIES: dict[str, Family] = {family.name: family for families in AREAS.values() for family in families}
