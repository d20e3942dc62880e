"""Several kinds of virtual actor in one shard: the id of an entity says which kind it is.

`tenant/user` is a user, `tenant/~group` a group: no user id begins with a tilde.
"""

from collections.abc import Iterator, Mapping

from engine.behaviour import Behaviour

USER = "user"
GROUP = "group"


class UnknownKind(LookupError):
    """No behaviour hosts entities of this kind here."""


def kind_of(entity_id: str) -> str:
    """Return the kind of an entity: `user` or `group`."""
    return GROUP if "/~" in entity_id else USER


class Kinds:
    """The behaviours of an instance, by kind. `HostConfig.behaviour` names one of these, or a lone behaviour."""

    def __init__(self, behaviours: Mapping[str, Behaviour]) -> None:
        """Raise `ValueError` when two of them keep snapshots under one schema: a snapshot names no kind."""
        self._by_kind = dict(behaviours)
        self.schemas = [behaviour.schema for behaviour in self]
        """What names a snapshot that can be used here."""
        if len(set(self.schemas)) < len(self.schemas):
            raise ValueError(f"two kinds keep snapshots under one schema: {', '.join(sorted(self.schemas))}")

    def __iter__(self) -> Iterator[Behaviour]:
        return iter(self._by_kind.values())

    def of(self, entity_id: str) -> Behaviour:
        """Return the behaviour of an entity. Raises `UnknownKind`."""
        behaviour = self._by_kind.get(GROUP if "/~" in entity_id else USER)
        if behaviour is None:
            raise UnknownKind(f"{entity_id} is a {kind_of(entity_id)}, which this instance does not host")
        return behaviour


def hosted(behaviours: Kinds | Behaviour) -> Kinds:
    """Return the kinds of what was given; a lone behaviour is that of users."""
    return behaviours if isinstance(behaviours, Kinds) else Kinds({USER: behaviours})
