"""How settings are compared, as frozen values."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pinnersage.evaluation.replay import Mode
from pinnersage.evaluation.settings import MIN_RESAMPLES, label

Metric = Literal["recall", "relevance", "ndcg"]


class TuningSettings(BaseModel):
    """What settings are compared on, by how much data, and when to stop.

    Attributes
    ----------
    train_days
        Settings are compared on so many days, which end where the held-out days begin.
    held_out_days
        What was chosen and the default are measured on so many days after them, which end at the cut.
    horizon_days
        In the training days users are asked about every so many days, and what they do until the next
        time counts as one target set.
    budget
        Items per list: a whole number, or a share of the pool.
    metric
        What is to grow.
    targets
        ``first_time``: a list leaves out what the user has seen; ``all``: it may repeat it, and the
        configuration says so.
    relevance_cosine
        As in :class:`~pinnersage.evaluation.settings.EvaluationConfig`.
    max_users
        So many users at most are drawn to compare on, and so many to judge on.
    min_users, min_targets
        With fewer in the training days nothing is chosen; lists are balanced unless a mode is asked for.
    max_trials, max_seconds
        Settings tried besides the default, and time spent, at most; None: no bound. With a bound on time
        the choice may depend on the machine.
    n_resamples
        Of the users, for intervals; 20 at least, and for a choice to go by many more.
    seed
        Of the order of users and of resamples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_days: int = Field(default=28, ge=1, le=3_660)
    held_out_days: int = Field(default=14, ge=1, le=3_660)
    horizon_days: int = Field(default=7, ge=1)
    budget: int | float = 0.01
    metric: Metric = "recall"
    targets: Mode = "first_time"
    relevance_cosine: float = Field(default=0.8, ge=-1, le=1)
    max_users: int = Field(default=2_000, ge=1)
    min_users: int = Field(default=50, ge=1)
    min_targets: int = Field(default=200, ge=1)
    max_trials: int | None = Field(default=None, ge=1)
    max_seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    n_resamples: int = Field(default=2_000, ge=MIN_RESAMPLES)
    seed: int = Field(default=0, ge=0)

    @field_validator("budget")
    @classmethod
    def _a_budget(cls, budget: int | float) -> int | float:
        label(budget)
        return budget
