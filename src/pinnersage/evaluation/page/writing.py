"""The entry: ``report.html`` from the values of ``metrics.json``."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pinnersage.errors import NotFoundError, StoredFormatError, install_command
from pinnersage.evaluation.page.blocks import Block, Folded, Plot, Plots, Section
from pinnersage.evaluation.page.exposure_section import exposure_section
from pinnersage.evaluation.page.facts_sections import (
    costs_section,
    making_section,
    measured_section,
    settings_section,
)
from pinnersage.evaluation.page.fairness_sections import gaps_section, quality_section
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.groups_section import groups_section
from pinnersage.evaluation.page.knobs_section import knobs_section
from pinnersage.evaluation.page.lifts_section import lifts_section
from pinnersage.evaluation.page.plots_section import (
    calibration_section,
    plots_section,
    ranker_section,
)
from pinnersage.evaluation.page.results_section import results_section
from pinnersage.evaluation.page.summary import Summary, summary_of
from pinnersage.evaluation.page.verdict_section import verdict_section
from pinnersage.evaluation.saved import METRICS_JSON, PAGE
from pinnersage.items._files import finished_file

EXTRA = "report"
_TITLE = "Do many interests beat one vector?"
_MISSING = (
    "The plots are left out, their figures stand as tables: drawing needs matplotlib. To have them, run, "
    "in the checkout of pinnersage,"
)
_SECTIONS = (
    verdict_section, measured_section, plots_section, results_section, lifts_section, groups_section,
    gaps_section, exposure_section, quality_section, calibration_section, knobs_section, ranker_section,
    costs_section, settings_section, making_section,
)  # fmt: skip


def write_page(directory: Path, summary: dict[str, Any]) -> Path:
    """Write ``report.html`` whole or not at all; the same values give the same bytes.

    Parameters
    ----------
    directory
        Where ``metrics.json`` lies.
    summary
        Its values.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    StoredFormatError
        The values are not those of a ``metrics.json`` of this version.
    """
    page = page_of(summary).encode()
    with finished_file(directory / PAGE) as file:
        file.write(page)
    return directory / PAGE


def rewrite_page(directory: Path) -> Path:
    """Make the page anew from a kept ``metrics.json``, measuring nothing.

    Parameters
    ----------
    directory
        Of the report, or the path of its ``metrics.json``.

    Raises
    ------
    NotFoundError
        There is no ``metrics.json``.
    StoredFormatError
        It is damaged, or of another version.
    """
    directory = directory.parent if directory.name == METRICS_JSON else directory
    path = directory / METRICS_JSON
    try:
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"{directory}: no {METRICS_JSON} there; give the directory of a report of `pinnersage evaluate`"
        ) from None
    except ValueError as error:
        raise StoredFormatError(f"{path}: not JSON ({error}); run `pinnersage evaluate` again") from None
    return write_page(directory, values)


def page_of(values: dict[str, Any], *, plots: bool = True) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    values
        As of :func:`~pinnersage.evaluation.page.summary.summary_of`.
    plots
        Whether to draw; their figures stand as tables in any case.

    Raises
    ------
    StoredFormatError
        The values are not those of a ``metrics.json`` of this version.
    """
    summary = summary_of(values)
    sections = [section for make in _SECTIONS if (section := make(summary)) is not None]
    svgs = _drawn(summary, sections) if plots else {}
    environment = Environment(
        loader=PackageLoader("pinnersage.evaluation.page", "templates"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("page.html.jinja").render(
        title=_TITLE, lead=_lead(summary), sections=sections, families=FAMILIES,
        svgs={key: Markup(svg) for key, svg in (svgs or {}).items()},
        css=Markup(environment.get_template("style.css").render()),
        alarm=summary.about.more("leak") or "", notes=summary.about.more("notes") or [],
        missing=_MISSING if svgs is None else "", install=install_command(EXTRA),
    )  # fmt: skip


def _lead(summary: Summary) -> str:
    about = summary.about
    data, days = about.data, "1 day" if about.span.n_days == 1 else f"{about.span.n_days:,} days"
    return (
        f"{len(summary.arms)} ways to recommend, on {days} of the log from {about.span.from_[:10]} on: "
        f"{about.measured.get('n_users', 0):,} users, {data.get('n_items', 0):,} items."
    )


def _drawn(summary: Summary, sections: list[Section]) -> dict[str, str] | None:
    """Return key -> SVG of all plots; None without matplotlib."""
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        return None
    drawing = importlib.import_module("pinnersage.evaluation.page.drawing")
    plots = [plot for section in sections for plot in _plots(section.blocks)]
    svgs: dict[str, str] = drawing.drawn(summary, plots)
    return svgs


def _plots(blocks: Any) -> Iterator[Plot]:
    block: Block
    for block in blocks:
        if isinstance(block, Plots):
            yield from block.plots
        elif isinstance(block, Folded):
            yield from _plots(block.blocks)
