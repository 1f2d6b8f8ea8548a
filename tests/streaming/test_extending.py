"""What is left of clusters that lost an action is clustered again."""

from __future__ import annotations

import numpy as np
import pytest
from tests.streaming.worlds import N_ITEMS, START_MS, batch_records, entry, live_items, told

from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.extend import nothing_new
from pinnersage.streaming.extending import extended, live_record, without

NOW_MS = START_MS + MS_PER_DAY


@pytest.mark.parametrize("limit", [0.8, 1.2, 1.6, 2.0, 2.4, 3.0])
def test_without_any_one_action_the_rest_is_as_a_batch_builds_it(limit: float) -> None:
    config, items = InterestConfig(max_merge_cost=limit), live_items()
    entries = [entry("u", number, 1.0) for number in range(N_ITEMS)]
    record = batch_records(entries, [""], config, NOW_MS)["u"]
    assert record.untied
    for left_out in range(N_ITEMS):
        rest = without(record, np.arange(N_ITEMS) == left_out)
        (found,) = extended([rest], nothing_new(0), items, [""], config, NOW_MS)
        others = [e for number, e in enumerate(entries) if number != left_out]
        whole = batch_records(others, [""], config, NOW_MS)["u"]
        assert told(found, items, [""]) == told(whole, items, [""])


@pytest.mark.parametrize("limit", [0.8, 1.2, 1.6, 2.0, 2.4, 3.0])
def test_without_any_one_item_the_rest_is_as_a_batch_builds_it(limit: float) -> None:
    config = InterestConfig(max_merge_cost=limit)
    entries = [entry("u", number, 1.0) for number in range(N_ITEMS)]
    record = batch_records(entries, [""], config, NOW_MS)["u"]
    for left_out in range(N_ITEMS):
        items = live_items()
        items.remove(entries[left_out].item_id)
        found = live_record(record, items, [""], config, NOW_MS)
        others = [e for number, e in enumerate(entries) if number != left_out]
        whole = batch_records(others, [""], config, NOW_MS)["u"]
        assert found.labels.tolist() == whole.labels.tolist()
        assert found.medoid_rows.tolist() == whole.medoid_rows.tolist()
