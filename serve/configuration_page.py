"""The table of settings in docs/configuration.md, made from the settings themselves.

`python -m serve.configuration_page docs/configuration.md` rewrites what stands between the two markers of that file.
"""

import sys
from pathlib import Path

from serve import settings

BEGIN = "<!-- settings: made by `python -m serve.configuration_page docs/configuration.md` -->"
END = "<!-- settings: end -->"


class NoMarkers(ValueError):
    """A page without the two markers, in this order: there is no place for the table."""


def table() -> str:
    """Return every setting as a Markdown table, in the order of the code."""
    lines = ["| setting | flag | variable | default | takes | what changes with it |", "|---|---|---|---|---|---|"]
    for name, variable, default, consequence in settings.describe():
        flag = f"`--{name.replace('_', '-')}`" if name in settings.FLAGS else ""
        cells = (f"`{name}`", flag, f"`{variable}`", default, settings.accepted(name), consequence)
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines)


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
