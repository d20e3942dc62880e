"""The table of settings in docs/configuration.md, made from the settings themselves.

`python -m serve.configuration_page docs/configuration.md` rewrites what stands between the two markers of that file.
"""

from serve import made_tables, settings

BEGIN = "<!-- settings: made by `python -m serve.configuration_page docs/configuration.md` -->"
END = "<!-- settings: end -->"


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
    return made_tables.renewed(page, BEGIN, END, table())


if __name__ == "__main__":
    made_tables.rewrite(renewed)
