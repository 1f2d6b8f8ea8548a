"""The sections that hold plots."""

from __future__ import annotations

from collections.abc import Iterable

from pinnersage.evaluation.page.blocks import Block, Folded, Legend, Plot, Plots, Section, Text
from pinnersage.evaluation.page.charts import interests_plot, place_of
from pinnersage.evaluation.page.charts_lift import base_of, lift_plot, lift_slugs, shown_arms, undrawn_told
from pinnersage.evaluation.page.charts_more import (
    calibration_plot,
    calibrations,
    gain_table,
    ranker_plot,
)
from pinnersage.evaluation.page.charts_plane import cost_plot, diversity_plot
from pinnersage.evaluation.page.families import FAMILIES, family_of
from pinnersage.evaluation.page.gains import gains_of
from pinnersage.evaluation.page.summary import Summary

_MAX_DRAWN = 6


def plots_section(summary: Summary) -> Section | None:
    """Return the main plots; None where no arms allow one."""
    rows = [
        _there([interests_plot(summary, metric) for metric in ("relevance", "recall")]),
        _there([diversity_plot(summary), cost_plot(summary)]),
        _there([lift_plot(summary, by) for by in lift_slugs(summary)]),
    ]
    if not any(rows):
        return None
    intro = f"{place_of(summary)}. Below each plot its figures can be opened."
    drawn = [Plots(row) for row in rows if row]
    undrawn = [Text(told) for by in lift_slugs(summary) if (told := undrawn_told(summary, by))]
    return Section("plots", "In pictures", [Text(intro), legend_of(summary), *drawn, *undrawn])


def legend_of(summary: Summary) -> Legend:
    """Return the families that were measured."""
    there = {family_of(summary.costs.get(arm)) for arm in summary.arms}
    return Legend([(key, family.sign, family.name) for key, family in FAMILIES.items() if key in there])


def calibration_section(summary: Summary) -> Section | None:
    """Return whether lists follow the importances, drawn for a few arms; None where it was not measured."""
    plots = {row.arm: plot for row in calibrations(summary) if (plot := calibration_plot(summary, row.arm))}
    base = base_of(summary)
    shown = [base, *shown_arms(summary, base)] if base else []
    drawn = [arm for arm in plots if arm in shown] or list(plots)[:_MAX_DRAWN]
    tables = [plot.table for arm, plot in plots.items() if arm not in drawn]
    blocks: list[Block] = [Plots([plots[arm] for arm in drawn])]
    blocks += [Folded("Other arms", tables)] if tables else []
    return Section("calibration", "Calibration by interest", blocks) if plots else None


def ranker_section(summary: Summary) -> Section | None:
    """Return what the second stages go by, the first one drawn; None where there is none."""
    told = gains_of(summary)
    if not told:
        return None
    blocks: list[Block] = [Plots([ranker_plot(told[0])])]
    if len(told) > 1:
        blocks.append(Folded("Other arms and lists", [gain_table(gains) for gains in told[1:]]))
    return Section("ranker", "The second stage", blocks)


def _there(plots: Iterable[Plot | None]) -> list[Plot]:
    return [plot for plot in plots if plot is not None]
