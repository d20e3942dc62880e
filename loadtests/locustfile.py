"""What Locust loads: the journeys of the plan's scenario. Started by `python -m loadtests`, headless."""

from typing import Any

from locust import events

from loadtests import plan
from loadtests.phones import Phone
from loadtests.readers import TenantFeed, Watcher
from loadtests.run import run
from loadtests.wallets import BatchWallet, SingleWallet

_PLAN = plan.load()
_SCENARIO = _PLAN.scenario


class Singles(SingleWallet):
    """A wallet that sends each payment as it happens."""

    host = _PLAN.url
    abstract = _SCENARIO.single_share <= 0.0


class Batches(BatchWallet):
    """A wallet that sends batches."""

    host = _PLAN.url
    abstract = _SCENARIO.single_share >= 1.0


class Phones(Phone):
    """People."""

    host = _PLAN.url
    fixed_count = _SCENARIO.phones
    abstract = _SCENARIO.phones == 0


class Dashboards(Watcher):
    """Dashboards."""

    host = _PLAN.url
    fixed_count = _SCENARIO.watchers
    abstract = _SCENARIO.watchers == 0


class Feed(TenantFeed):
    """A tenant's back end."""

    host = _PLAN.url
    fixed_count = 1
    abstract = not _SCENARIO.feed


def _begin(**_: Any) -> None:
    run().begin()


def _stopping(**_: Any) -> None:
    run().is_stopping = True


def _quitting(**_: Any) -> None:
    run().notebook.close()


events.test_start.add_listener(_begin)  # type: ignore[no-untyped-call]
events.test_stopping.add_listener(_stopping)  # type: ignore[no-untyped-call]
events.quitting.add_listener(_quitting)  # type: ignore[no-untyped-call]
