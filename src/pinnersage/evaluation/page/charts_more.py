"""Calibration by rank, and shares of the ranker's gain, as figures and words."""

from __future__ import annotations

from pinnersage.evaluation.page.additions import RankCalibration
from pinnersage.evaluation.page.blocks import Plot, Row, Table
from pinnersage.evaluation.page.columns import cells_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.gains import Gains
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import budget_name, slice_name
from pinnersage.retrieval.words import FEATURE_WORDS

RANK_SHARES = {
    "importance_share": "Share of importance",
    "list_share": "Share of the list",
    "target_share": "Share of the targets",
}
MAX_RANKS = 12
BEYOND = 11
"""The rank that stands for all interests from it on."""
MAX_FEATURES = 20


def calibrations(summary: Summary) -> list[RankCalibration]:
    """Return what there is of the plots' budget; of the first budget where it has none."""
    found = summary.interest_calibration or []
    budgets = [row.budget for row in found]
    budget = summary.budget if summary.budget in budgets else next(iter(budgets), None)
    return [row for row in found if row.budget == budget and row.rows]


def calibration_plot(summary: Summary, arm: str) -> Plot | None:
    """Return shares by rank of the interest, for one arm."""
    row = next((row for row in calibrations(summary) if row.arm == arm), None)
    if row is None:
        return None
    place = budget_name(row.budget, summary.about.budgets.get(row.budget, 0))
    text = (
        "For the users' first, second, third ... interest: its share of importance, of the list, and of what "
        "came. Where the bars of a rank are of one height, the lists follow the interests. "
        f"{rank_name(BEYOND)} holds all interests beyond."
    )
    index = calibrations(summary).index(row)
    return Plot(
        f"calibration-{index}", f"Calibration by interest: {arm}", text, _rank_table(row, f"{arm}, {place}")
    )


def rank_name(rank: int) -> str:
    """Return a rank in words; the last one holds all that are beyond.

    Examples
    --------
    >>> rank_name(10), rank_name(11)
    ('10', '11+')
    """
    return f"{rank}+" if rank == BEYOND else str(rank)


def _rank_table(row: RankCalibration, caption: str) -> Table:
    columns = [cells_of([Figure(value=getattr(share, key)) for share in row.rows]) for key in RANK_SHARES]
    rows = [Row(rank_name(share.rank), [column[i] for column in columns]) for i, share in enumerate(row.rows)]
    return Table(caption, "Rank of the interest", list(RANK_SHARES.values()), rows)


def ranker_plot(gains: Gains) -> Plot:
    """Return the features of a second stage by their share of the gain."""
    n_drawn = min(len(gains.features), MAX_FEATURES)
    text = f"What the trees of {gains.arm} split by for {_lists_of(gains)}, the {n_drawn} largest."
    return Plot("ranker", "What the second stage goes by", text, gain_table(gains))


def gain_table(gains: Gains) -> Table:
    """Return all features of a second stage with their share of the gain."""
    cells = cells_of([Figure(value=feature.gain) for feature in gains.features])
    rows = [
        Row(feature.feature, [cell], note=FEATURE_WORDS.get(feature.feature, ""))
        for feature, cell in zip(gains.features, cells, strict=True)
    ]
    return Table(f"Gain by feature: {gains.arm}, {_lists_of(gains)}", "Feature", ["Share of the gain"], rows)


def _lists_of(gains: Gains) -> str:
    return slice_name(gains.slice).lower()
