"""Who of this process listens to whom: one subscription a user, one feed a shard."""

import asyncio
from collections import Counter

from serve.live.feeds import ShardFeed, Subscriber, Subscription
from serve.live.limits import Limits
from serve.live.ports import Ports


class TooManySockets(Exception):
    """The user has as many sockets here as one user may have."""


class Subscriptions:
    """The users of all sockets of this process."""

    def __init__(self, gateway: str, ports: Ports, limits: Limits) -> None:
        self._gateway, self._ports, self._limits = gateway, ports, limits
        self._by_entity: dict[str, Subscription] = {}
        self._claims: Counter[str] = Counter()
        self._homes: dict[str, ShardFeed] = {}
        self._feeds: dict[int, ShardFeed] = {}
        self._loops: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._by_entity)

    def claim(self, entity_id: str) -> None:
        """Count a socket of a user, before it costs anything; `leave` gives it back. Raises `TooManySockets`."""
        if self._claims[entity_id] >= self._limits.sockets_per_user_max:
            raise TooManySockets(f"at most {self._limits.sockets_per_user_max} sockets a user")
        self._claims[entity_id] += 1

    def join(self, entity_id: str, head: int, subscriber: Subscriber) -> Subscription:
        """Add a socket, which has its claim, to a user whose committed head was just read."""
        subscription = self._by_entity.get(entity_id)
        if subscription is None:
            subscription = self._by_entity[entity_id] = Subscription(entity_id, head)
            self._place(subscription)
        subscription.subscribers += (subscriber,)
        return subscription

    def leave(self, entity_id: str, subscriber: Subscriber) -> None:
        """Give back a socket's claim, and take it out if it joined; the last ends the subscription. Once a claim."""
        self._claims[entity_id] -= 1
        if self._claims[entity_id] <= 0:
            del self._claims[entity_id]
        subscription = self._by_entity.get(entity_id)
        if subscription is None:
            return
        subscription.subscribers = tuple(each for each in subscription.subscribers if each is not subscriber)
        if not subscription.subscribers:
            del self._by_entity[entity_id]
            self._homes.pop(entity_id).remove(entity_id)

    def stop(self) -> None:
        """End the feeds."""
        for loop in self._loops:
            loop.cancel()

    def _place(self, subscription: Subscription) -> None:
        feed = self._feed(self._ports.runtime.shard_of(subscription.entity_id))
        self._homes[subscription.entity_id] = feed
        feed.add(subscription)

    def _feed(self, shard: int) -> ShardFeed:
        feed = self._feeds.get(shard)
        if feed is None:
            ports = self._ports
            feed = ShardFeed(
                shard, self._gateway, ports.runtime, self._limits, ports.clock, self._place, ports.measures
            )
            self._feeds[shard] = feed
            self._loops.append(asyncio.create_task(feed.run()))
        return feed
