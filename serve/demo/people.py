"""Who lives in the demo: fixed e-mails, so that a second run logs in again, and the jars they save into.

The password is public. These accounts hold the demo's events and nothing else; they are signed up through the
public API like anyone's.
"""

from dataclasses import dataclass

PASSWORD = "drop by drop, an ocean 7!"


@dataclass(frozen=True, slots=True)
class JarWish:
    """A jar to have; `target` in paise, lower `priority` fills first."""

    name: str
    target: int
    priority: int
    cap_at_target: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """One user of the demo. `key` names them in event ids and in the terminal."""

    key: str
    name: str
    jars: tuple[JarWish, ...]

    @property
    def email(self) -> str:
        """Return the address the account is under."""
        return f"{self.key}@demo.example"


_WISHES = (
    ("asha", "Asha", "Festival gifts", "Goa trip"),
    ("bimo", "Bimo", "New shoes", "Yogyakarta by train"),
    ("chen", "Chen", "Concert", "Emergency fund"),
    ("dara", "Dara", "Books", "Bicycle"),
    ("esi", "Esi", "Garden", "Camera"),
    ("farid", "Farid", "Chess club", "Himalaya"),
)
PEOPLE_MAX = len(_WISHES)


def people(count: int) -> list[Person]:
    """Return the first `count` people, each with a small jar that soon reaches its target and a large one behind it."""
    if not 1 <= count <= PEOPLE_MAX:
        raise ValueError(f"users is {count}: the demo has 1 to {PEOPLE_MAX}")
    return [
        Person(key, name, (JarWish(small, 100_00, 1, cap_at_target=True), JarWish(large, 15_000_00, 2)))
        for key, name, small, large in _WISHES[:count]
    ]
