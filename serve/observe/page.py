"""The table of metrics in docs/operations.md, made from the table in the code.

`python -m serve.observe.page docs/operations.md` rewrites what stands between the two markers of that file.
"""

from serve import made_tables
from serve.observe.catalogue import AREAS, PROCESS_LABEL

BEGIN = "<!-- metrics: made by `python -m serve.observe.page docs/operations.md` -->"
END = "<!-- metrics: end -->"


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
    return made_tables.renewed(page, BEGIN, END, table())


if __name__ == "__main__":
    made_tables.rewrite(renewed)
