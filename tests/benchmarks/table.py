"""The table a bench prints: what, its figure, a note."""

Row = tuple[str, str, str]


def show(rows: list[Row]) -> None:
    """Print rows in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for what, figure, note in rows:
        print(f"{what:<{widths[0]}}  {figure:>{widths[1]}}  {note}".rstrip())
