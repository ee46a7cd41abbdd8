"""What the demo prints: numbered steps, text and tables, in plain characters."""

import sys
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 96
INDENT = "   "


def title(text: str) -> None:
    print(f"\n{emphasised(text)}")


def step(number: int, heading: str, explanation: str) -> None:
    """A numbered heading, and below it what the step shows."""
    print(f"\n{emphasised(f'{number}. {heading}')}")
    say(explanation)


def say(text: str) -> None:
    """A paragraph, indented as everything under a heading is."""
    print(textwrap.fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT,
                        break_on_hyphens=False, break_long_words=False), flush=True)


def quote(text: str) -> None:
    """The output of a command, as it is."""
    print(textwrap.indent(text.rstrip(), INDENT + "  "), flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table whose columns are as wide as their widest cell."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    # A column of numbers stands on the right.
    signed = [-width if all(map(is_number, column)) else width
              for width, column in zip(widths, zip(*cells, strict=True), strict=True)]
    print()
    print_rule(columns, signed)
    for row in cells:
        print_row(row, signed)


def print_rule(columns: Sequence[str], widths: Sequence[int]) -> None:
    """The head of a table."""
    print_row(columns, widths)
    print_row(["-" * abs(width) for width in widths], widths)


def print_row(cells: Sequence[object], widths: Sequence[int]) -> None:
    """One line of a table; a negative width puts the cell on the right."""
    aligned = (text.rjust(-width) if width < 0 else text.ljust(width)
               for text, width in zip(map(shown, cells), widths, strict=True))
    print((INDENT + "  ".join(aligned)).rstrip(), flush=True)


def shown(cell: object) -> str:
    return f"{cell:.4f}" if isinstance(cell, float) else "" if cell is None else str(cell)


def is_number(text: str) -> bool:
    return not text or text.replace(".", "", 1).isdigit()


def emphasised(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text
