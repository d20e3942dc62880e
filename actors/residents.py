"""Which entities are in memory: by last use, at most so many, and none that holds uncommitted turns is let go."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from actors.entity import Activation, Lifecycle


class Residents:
    """The activations of a shard, least recently used first. `on_leave` sees each that is let go in good order."""

    def __init__(self, on_leave: Callable[[Activation], None]) -> None:
        self._active: OrderedDict[str, Activation] = OrderedDict()
        self._leaving: dict[str, Activation] = {}
        self._on_leave = on_leave
        self.generation = 0
        """Changes whenever memory was dropped: what was read before may no longer fit what is in memory."""

    def __len__(self) -> int:
        return len(self._active)

    def __contains__(self, entity_id: str) -> bool:
        return entity_id in self._active

    def __iter__(self) -> Iterator[Activation]:
        return iter(self._active.values())

    def use(self, entity_id: str, at: datetime) -> Activation | None:
        """Return an activation and note its use."""
        activation = self._active.get(entity_id)
        if activation is not None:
            activation.used_at = at
            self._active.move_to_end(entity_id)
        return activation

    def peek(self, entity_id: str) -> Activation | None:
        """Return an activation without counting it as a use."""
        return self._active.get(entity_id)

    def add(self, activation: Activation) -> None:
        """Take in an activation that has become active."""
        self._active[activation.entity_id] = activation

    def is_leaving(self, entity_id: str) -> bool:
        """Say whether a former activation still has uncommitted turns: its messages wait."""
        former = self._leaving.get(entity_id)
        if former is None:
            return False
        if former.pending is not None:
            return True
        del self._leaving[entity_id]
        former.enter(Lifecycle.GONE)
        return False

    def retire(self, activation: Activation) -> None:
        """Let a damaged activation go; the next one is made from the journal, once its last turn is committed."""
        self._active.pop(activation.entity_id, None)
        if activation.lifecycle is Lifecycle.ACTIVE:
            activation.enter(Lifecycle.PASSIVATING)
        self._leaving[activation.entity_id] = activation

    def drop(self, activations: Iterable[Activation]) -> None:
        """Forget activations whose memory cannot be trusted."""
        self.generation += 1
        for activation in activations:
            if self._active.get(activation.entity_id) is activation:
                del self._active[activation.entity_id]
            if self._leaving.get(activation.entity_id) is activation:
                del self._leaving[activation.entity_id]
            activation.pending = None
            if activation.lifecycle is not Lifecycle.GONE:
                activation.enter(Lifecycle.GONE)

    def drop_all(self) -> None:
        """Forget everything."""
        self.drop([*self._active.values(), *self._leaving.values()])

    def _passivate(self, activation: Activation) -> None:
        activation.enter(Lifecycle.PASSIVATING)
        self._on_leave(activation)
        del self._active[activation.entity_id]
        activation.enter(Lifecycle.GONE)

    def sweep(self, now: datetime, idle_s: float) -> int:
        """Passivate what was not used for `idle_s`; return how many."""
        limit = now - timedelta(seconds=idle_s)
        idle = []
        for activation in self._active.values():
            if activation.used_at > limit:
                break
            if activation.pending is None:
                idle.append(activation)
        for activation in idle:
            self._passivate(activation)
        return len(idle)

    def trim(self, entities_max: int) -> int:
        """Passivate the least recently used beyond the cap; return how many."""
        excess = len(self._active) - entities_max
        if excess <= 0:
            return 0
        chosen = []
        for activation in self._active.values():
            if activation.pending is None:
                chosen.append(activation)
                if len(chosen) == excess:
                    break
        for activation in chosen:
            self._passivate(activation)
        return len(chosen)
