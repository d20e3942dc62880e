"""The port through which the engine asks for a category, and the rules that answer it before any model has learnt.

The kind comes first where it is a category by itself. Then the merchant's text, the MCC and the description each say
what they know, and the surest wins (in that order when equal). Confidence is the precision of the rule that spoke, so
a caller may compare it with a model's.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

from engine.behaviour import Prediction
from engine.kinds import CATEGORY_OF_KIND, UNCATEGORISED
from online_ml.lexicon import Lexicon, lexicon
from online_ml.mcc import BROAD_CODES, category_of
from online_ml.narration import merchant_name, normalise

_TEXTS_CACHED = 16_384
_LONG_NUMBER = re.compile(r"[0-9]{6,}")
_SHORT_TEXT = 16


class Categoriser(Protocol):
    """Says what a transaction was for. Always answers; pure, so that a twin on another shard says the same."""

    def predict(
        self,
        *,
        merchant: str | None = None,
        description: str | None = None,
        mcc: str | None = None,
        amount: int = 0,
        direction: str | None = None,
        kind: str = "purchase",
    ) -> Prediction:
        """Return the category, with `uncategorised` below the threshold. `amount` is in minor units."""


class Precision(NamedTuple):
    """How often each rule is right, 0-1: the confidence it answers with.

    `brand`, `brand_among_words`, `word` and `hint` are measured on the 5,945 real rows of the development data by
    `tests/benchmarks/bench_categoriser.py`, in-sample: the lexicon was shaped on the same rows. `kind`, `mcc` and
    `mcc_broad` are set by judgement: kinds are what the source says, and the card labels there are made from the MCC.
    """

    kind: float = 0.99
    brand: float = 0.95
    mcc: float = 0.85
    mcc_broad: float = 0.60
    word: float = 0.78
    brand_among_words: float = 0.67
    hint: float = 0.47


_NAMELESS = frozenset({"cash", "fees", "income"})
"""Categories whose keywords name what happened, not a merchant."""


class _Reading(NamedTuple):
    """What one text says."""

    category: str | None
    confidence: float
    name: str | None


_SILENT = _Reading(None, 0.0, None)


class RuleCategoriser:
    """`Categoriser` by kind, lexicon and MCC. Caches readings of texts (bounded); thread-safe as `lru_cache` is."""

    def __init__(
        self,
        rules: Lexicon | None = None,
        precision: Precision = Precision(),  # noqa: B008 - an immutable tuple
        threshold: float = 0.35,
    ) -> None:
        self._lexicon = rules or lexicon()
        self._precision = precision
        self._threshold = threshold
        by_key: Callable[[str], _Reading] = lru_cache(_TEXTS_CACHED)(self._find)
        self._by_key = by_key
        self._by_text: Callable[[str], _Reading] = lru_cache(_TEXTS_CACHED)(self._read_text)

    def predict(
        self,
        *,
        merchant: str | None = None,
        description: str | None = None,
        mcc: str | None = None,
        amount: int = 0,  # noqa: ARG002 - of the port: models use it
        direction: str | None = None,  # noqa: ARG002 - of the port: models use it
        kind: str = "purchase",
    ) -> Prediction:
        """Return the surest rule's category; `by` is kind, rule (merchant), mcc, text (description) or none."""
        seen = self._read(merchant) if merchant else _SILENT
        name = seen.name
        if (fixed := CATEGORY_OF_KIND.get(kind)) is not None:
            return Prediction(fixed, self._precision.kind, "kind", name)
        category, confidence, by = seen.category, seen.confidence, "rule"
        if mcc is not None and (known := self._of_mcc(mcc)) is not None and known[1] > confidence:
            category, confidence, by = *known, "mcc"
        if description and (name is None or confidence < self._precision.brand):
            text = self._read(description)
            name = name or text.name
            if text.confidence > confidence:
                category, confidence, by = text.category, text.confidence, "text"
        if category is None or confidence < self._threshold:
            return Prediction(UNCATEGORISED, 0.0, "none", name)
        return Prediction(category, confidence, by, name)

    def _of_mcc(self, mcc: str) -> tuple[str, float] | None:
        if (category := category_of(mcc)) is None:
            return None
        return category, self._precision.mcc_broad if mcc in BROAD_CODES else self._precision.mcc

    def _read(self, raw: str) -> _Reading:
        """Read a text by way of the caches; references are levelled, so that a merchant's next payment is a hit."""
        return self._by_text(raw if len(raw) <= _SHORT_TEXT else _LONG_NUMBER.sub("000000", raw))

    def _read_text(self, raw: str) -> _Reading:
        found = self._by_key(normalise(raw))
        return found if found.name is not None else found._replace(name=merchant_name(raw))

    def _find(self, normalised: str) -> _Reading:
        keyword = self._lexicon.find(normalised) if normalised else None
        if keyword is None:
            return _SILENT
        sure = self._precision
        if keyword.strength != "brand":
            return _Reading(keyword.category, sure.word if keyword.strength == "word" else sure.hint, None)
        whole = len(keyword.keyword.replace(" ", "")) == len(normalised.replace(" ", ""))
        name = None if keyword.category in _NAMELESS else keyword.name or keyword.keyword.title()
        return _Reading(keyword.category, sure.brand if whole else sure.brand_among_words, name)
