"""Keywords that tell a category, matched on whole words of a normalised text.

A `brand` is one merchant; a `word` is a trade or a good; a `hint` is a noun that many trades share (`store`, `club`)
and speaks only when nothing better does.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, NamedTuple

from online_ml.tables import read_table

Strength = Literal["brand", "word", "hint"]

_STRENGTHS: dict[str, Strength] = {"brand": "brand", "word": "word", "hint": "hint"}

_WORDS_MAX = 4
_PREFIX_MIN = 4


class Keyword(NamedTuple):
    """One row of `lexicon.csv`. A keyword that ends in `*` matches the beginning of a word; `name` is for people."""

    keyword: str
    category: str
    strength: Strength
    name: str | None = None


class _Match(NamedTuple):
    """A keyword found at a word position, that many words long."""

    position: int
    words: int
    keyword: Keyword


def _contradicted(brand: _Match, matches: list[_Match]) -> bool:
    """Return whether a word behind the brand names another trade."""
    end = brand.position + brand.words
    return any(
        m.position >= end and m.keyword.strength == "word" and m.keyword.category != brand.keyword.category
        for m in matches
    )


def read_keywords() -> list[Keyword]:
    """Return the rows of the package's `lexicon.csv`, in file order."""
    return [
        Keyword(row["keyword"], row["category"], _STRENGTHS[row["strength"]], row["name"] or None)
        for row in read_table("lexicon.csv")
    ]


class Lexicon:
    """Finds the keyword that says most about a text; immutable after construction."""

    def __init__(self, keywords: Iterable[Keyword]) -> None:
        self._exact: dict[str, Keyword] = {}
        self._prefixes: dict[str, Keyword] = {}
        for keyword in keywords:
            if keyword.keyword.endswith("*"):
                self._prefixes[keyword.keyword[:-1]] = keyword
            else:
                self._exact[keyword.keyword] = keyword
        for text, keyword in list(self._exact.items()):
            if " " in text:
                self._exact.setdefault(text.replace(" ", ""), keyword)

    def find(self, normalised: str) -> Keyword | None:
        """Return the best keyword in a text made by `narration.normalise`, or None.

        A brand that opens the text wins, unless words behind it name another trade (`shell car wash`); then, and for a
        name in mid-text, the brand is only a word among words. The phrase of more words wins, and of equals the last,
        as English puts the noun that says what a shop is at the end.
        """
        matches = list(self._matches(normalised.split(" ")))
        opening = [m for m in matches if m.position == 0 and m.keyword.strength == "brand"]
        if opening and not _contradicted(opening[0], matches):
            return opening[0].keyword
        if not matches:
            return None
        best = max(matches, key=lambda m: (m.keyword.strength != "hint", m.words, m.position)).keyword
        return best._replace(strength="word") if best.strength == "brand" else best

    def _matches(self, tokens: list[str]) -> Iterator[_Match]:
        exact = self._exact
        for start, token in enumerate(tokens):
            for words in range(min(_WORDS_MAX, len(tokens) - start), 0, -1):
                found = exact.get(token if words == 1 else " ".join(tokens[start : start + words]))
                if found is not None:
                    yield _Match(start, words, found)
            if token not in exact and (found := self._prefix_of(token)) is not None:
                yield _Match(start, 1, found)

    def _prefix_of(self, token: str) -> Keyword | None:
        for length in range(len(token), _PREFIX_MIN - 1, -1):
            if (found := self._prefixes.get(token[:length])) is not None:
                return found
        return None


@cache
def lexicon() -> Lexicon:
    """Return the lexicon of the package, read once."""
    return Lexicon(read_keywords())
