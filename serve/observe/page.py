"""The table of metrics in docs/operations.md, made from the table in the code.

`python -m serve.observe.page docs/operations.md` rewrites what stands between the two markers of that file.
"""

import sys
from pathlib import Path

from serve.observe.catalogue import AREAS, PROCESS_LABEL

BEGIN = "<!-- metrics: made by `python -m serve.observe.page docs/operations.md` -->"
END = "<!-- metrics: end -->"


class NoMarkers(ValueError):
    """A page without the two markers, in this order: there is no place for the table."""


def table() -> str:
    """Return every family as Markdown tables, one an area."""
    lines: list[str] = []
    for area, families in AREAS.items():
        lines += ["", f"**{area}**", "", "| metric | type | labels | what |", "|---|---|---|---|"]
        for family in families:
            labels = ", ".join(f"`{label}`" for label in family.labels)
            lines.append(f"| `{family.name}` | {family.kind.value} | {labels} | {family.help} |")
    return "\n".join([f"Every series has the label `{PROCESS_LABEL}` too.", *lines])


def renewed(page: str) -> str:
    """Return a page with the present table between its markers. Raises NoMarkers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise NoMarkers(f"expected a line {BEGIN} and later a line {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
