"""What a bank's narration says, without what it says about itself: references, masks, rails, handles, bank codes.

`normalise` makes the key that rules and models see: the same merchant gives the same key whatever rail, reference or
date surrounds it. `merchant_name` makes what a person reads. Both are pure and forget nothing but noise: a text that is
all noise gives "" and None.

Shapes seen in the field: `UPI/DR/<RRN>/<NAME>/<BANK>/<handle>`, `UPI-<NAME>-<handle>`,
`POS <mask> <NAME> /<ref>/<CITY>`, `CHECK CRD PURCHASE 11/11 <NAME>   <CITY> <STATE> <mask>`,
`NEFT CR-<IFSC>-<NAME>-<remark>`.
"""

import re
import unicodedata

from online_ml.tables import read_table

_HANDLE = re.compile(r"\b([a-z0-9._-]+)@[a-z0-9.-]+", re.IGNORECASE)
_DOMAIN = re.compile(r"(?<=\w)\.(?:com|co\.in|co\.uk|co\.id|net|org|in|id)\b", re.IGNORECASE)
_SEVEN_ELEVEN = re.compile(r"\b7[\s-]*(?:eleven|11)\b", re.IGNORECASE)
_APOSTROPHES = str.maketrans("", "", "'\u2018\u2019\u02bc`")
_TOKEN = re.compile(r"[^\W_]+(?:[&+][^\W_]+)*[&+]?")
_REFERENCE = re.compile(r"^(?:\d+|x{3,}\w*|\d*x{3,}\d*|(?=(?:\w*\d){3})\w+)$", re.IGNORECASE)
_CARD_LINE = re.compile(
    r"^(?:(?:check|chk|debit|recur(?:ring)?)\s+)+(?:crd|card|db)\s+(?:purchase|pur(?:\s+rtrn)?|pmt|rtrn)?\s*(?:\d\d/\d\d)?\s*",
    re.IGNORECASE,
)
_PROCESSOR = re.compile(
    r"^(?:sq|tst|sp|pp|paypal|pypl|py|ic|dd|izettle|zettle|sumup|razorpay|rzp|payu|ccavenue|cca|xnd)\s*\*\s*",
    re.IGNORECASE,
)
_SEGMENT = re.compile(r"[/|;\\]|\s{2,}|\s-\s|--+")
_DASHED_RAIL = re.compile(r"^\W*(?:upi|neft|imps|rtgs|ach|nach|ecs)\b[^/]*-", re.IGNORECASE)


def _noise(group: str) -> frozenset[str]:
    return frozenset(row["word"] for row in read_table("noise.csv") if row["group"] == group)


RAILS = _noise("rail")
"""How the money travelled, never whom it went to; Indian and Indonesian banks put these in front."""
BANK_CODES = _noise("bank")
CITIES = _noise("city")
"""Places and countries that end a narration; dropped only behind a name."""
_FILLER = _noise("filler")
_LEADING = frozenset(["to", "from", "by", "at"])
_BANK_SEGMENT = re.compile(rf"(?<=[/-])\s*(?:{'|'.join(sorted(BANK_CODES))})\s*(?=[/-]|$)", re.IGNORECASE)
"""A bank in a field of its own; in other places `HDFC` may begin a name (an insurer, a broker)."""

_NAME_LENGTH_MAX = 60


def _handle_words(match: re.Match[str]) -> str:
    """Keep a handle's local part when it reads like a name: `swiggy@ybl` does, `q281339603@ybl` does not."""
    local = match.group(1).replace(".", " ").replace("_", " ").replace("-", " ")
    return f" {local} " if local.replace(" ", "").isalpha() else " "


def _tokens(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    plain = _SEVEN_ELEVEN.sub("7eleven", plain)
    if "@" in plain:
        plain = _HANDLE.sub(_handle_words, plain)
    return _TOKEN.findall(_DOMAIN.sub(" ", plain))


def normalise(text: str) -> str:
    """Return the key of a narration or merchant text: lower case, words only, noise and doubled words removed."""
    for part in _columns(text):
        if key := _key(part):
            return key
    return ""


def _columns(text: str) -> list[str]:
    """Return the columns of a fixed-width card line: the merchant comes before the city; other texts are one column."""
    line, found = _CARD_LINE.subn("", _BANK_SEGMENT.sub(" ", text))
    return re.split(r"\s{2,}" if found else r"\s{3,}", line)


def _key(text: str) -> str:
    kept: list[str] = []
    for token in _tokens(text):
        word = token.casefold()
        if word in RAILS or _REFERENCE.match(word):
            continue
        if kept and kept[-1] == word:
            continue
        if not kept and word in _LEADING:
            continue
        kept.append(word)
    while len(kept) > 1 and kept[-1] in CITIES:
        kept.pop()
    return " ".join(kept)


def _segments(text: str) -> list[str]:
    if _DASHED_RAIL.match(text):
        return re.split(r"[-/|;]", text)
    return _SEGMENT.split(text)


def _name_words(segment: str) -> list[str]:
    """Return the words of a segment that may name a merchant; none when it holds only rails, banks and references."""
    words = [
        token
        for token in re.split(r"[\s_]+", segment)
        if token and token.casefold() not in RAILS and not _REFERENCE.match(token.strip(".,#*()-"))
    ]
    while words and words[0].casefold() in _LEADING:
        words.pop(0)
    while len(words) > 1 and words[-1].casefold() in CITIES:
        words.pop()
    meaningful = [w for w in words if any(c.isalpha() for c in w) and w.casefold() not in BANK_CODES | _FILLER]
    return words if meaningful else []


def _cased(words: list[str]) -> str:
    """Return the words in title case when the source shouted or whispered; as they are when it did neither."""
    name = " ".join(words)
    if name not in (name.upper(), name.lower()):
        return name
    return " ".join(w if any(c.isdigit() for c in w) or "&" in w else w.capitalize() for w in words)


def merchant_name(text: str) -> str | None:
    """Return the merchant in a narration, cleaned for a person to read; None when the text names nobody."""
    raw = _CARD_LINE.sub("", unicodedata.normalize("NFKC", text).strip())
    raw = _PROCESSOR.sub("", raw)
    for segment in _segments(raw):
        words = _name_words(_PROCESSOR.sub("", _HANDLE.sub(_handle_words, segment).strip(" -:*#.,")))
        if words:
            return _cased([w.strip("*#,;:") for w in words])[:_NAME_LENGTH_MAX].strip() or None
    return None
