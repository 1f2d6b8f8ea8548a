"""Pages of the docs whose figures come from committed results: text between two markers is replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
IMAGES = DOCS / "img"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart by everybody."""


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^>]* -->\n)(.*?)(<!-- end of {name} -->)", re.DOTALL)


def shown(page: str, name: str) -> str:
    """Return what stands between ``<!-- name: command -->`` and ``<!-- end of name -->``."""
    found = _pattern(name).search((DOCS / page).read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"docs/{page}: expected the markers of {name!r}, found none")
    return found.group(2)


def fill(page: str, name: str, text: str) -> None:
    """Put text between the markers."""
    shown(page, name)
    before = (DOCS / page).read_text(encoding="utf-8")
    after = _pattern(name).sub(lambda m: f"{m.group(1)}{text.strip()}\n{m.group(3)}", before)
    (DOCS / page).write_text(after, encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure(n_panels: int, width: float = 9.0, height: float = 3.9, n_rows: int = 1) -> tuple[Any, list[Any]]:
    """Return a matplotlib figure with panels in rows of equal length, drawn the same on every run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    settings: Any = pyplot.rcParams
    settings.update(
        {"svg.hashsalt": "pinnersage", "svg.fonttype": "none", "font.size": 9, "axes.grid": True}
        | {"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False}
    )
    drawn, panels = pyplot.subplots(
        n_rows, n_panels // n_rows, figsize=(width, height), squeeze=False, layout="constrained"
    )
    return drawn, list(panels.flat)


def save_figure(drawn: Any, name: str) -> None:
    """Write ``docs/img/<name>.svg``."""
    from matplotlib import pyplot

    IMAGES.mkdir(exist_ok=True)
    drawn.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    pyplot.close(drawn)


def image_links(page: str) -> list[str]:
    """Return the images a page shows, as written."""
    return re.findall(r"!\[[^]]*\]\(([^)]+)\)", (DOCS / page).read_text(encoding="utf-8"))
