"""Interests that come again, and such that do not."""

from __future__ import annotations

import numpy as np
import pytest

from pinnersage._arrays import Float32s
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.quality import adjusted_rand_index
from pinnersage.interests.record import UserRecord
from pinnersage.interests.stability import item_labels, stability

CONFIG = InterestConfig()


def unit(rows: np.ndarray) -> Float32s:
    scaled: Float32s = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def record_of(rows: list[int], embeddings: Float32s, config: InterestConfig = CONFIG) -> UserRecord:
    n = len(rows)
    actions = ActionBatch(
        ["u"], np.array([0, n]), np.array(rows, np.int32), np.arange(n) * MS_PER_DAY // 4,
        np.ones(n, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.uint64),
    )  # fmt: skip
    return build_records(actions, embeddings, config, n * MS_PER_DAY // 4).record(0)


def bundles(n_bundles: int, n_each: int, noise: float) -> Float32s:
    rng = np.random.default_rng(3)
    centers = np.repeat(np.eye(n_bundles, 16), n_each, axis=0)
    return unit(centers + noise * rng.standard_normal(centers.shape))


def test_tight_bundles_far_apart_come_again_in_every_draw() -> None:
    embeddings = bundles(4, 10, 0.01)
    found = stability(record_of(list(range(40)), embeddings), embeddings, CONFIG, seed=1)
    assert found.adjusted_rand_index == 1
    assert found.found_again.tolist() == [1, 1, 1, 1]


def test_noise_does_not_come_again_every_time() -> None:
    embeddings = unit(np.random.default_rng(5).standard_normal((60, 8)))
    record = record_of(list(range(60)), embeddings)
    found = stability(record, embeddings, CONFIG, seed=1)
    assert 0 < found.adjusted_rand_index < 0.9
    assert found.found_again.min() < 1
    again = stability(record, embeddings, CONFIG, seed=1)
    assert again.adjusted_rand_index == found.adjusted_rand_index
    assert stability(record, embeddings, CONFIG, seed=2).adjusted_rand_index != found.adjusted_rand_index


def test_one_draw_is_the_clustering_of_the_actions_drawn() -> None:
    embeddings = unit(np.random.default_rng(6).standard_normal((30, 6)))
    rows = [*range(30), *range(10)]
    record = record_of(rows, embeddings)
    found = stability(record, embeddings, CONFIG, seed=9, n_draws=1, share=0.5)
    kept = np.sort(np.random.default_rng(9).choice(40, 20, replace=False))
    part = ActionBatch(
        ["u"], np.array([0, 20]), record.item_rows[kept], record.times_ms[kept], record.weights[kept],
        record.kinds[kept], record.event_keys[kept],
    )  # fmt: skip
    again = build_records(part, embeddings, CONFIG, record.as_of_ms).record(0)
    before, after = (dict(zip(*(x.tolist() for x in item_labels(r)), strict=True)) for r in (record, again))
    common = sorted(after)
    a, b = (np.array([labels[row] for row in common]) for labels in (before, after))
    assert found.adjusted_rand_index == adjusted_rand_index(a, b)
    for interest, share in enumerate(found.found_again.tolist()):
        own = {row for row in common if before[row] == interest}
        if own:
            others = [{row for row in common if after[row] == c} for c in set(after.values())]
            assert share == (max(len(own & x) / len(own | x) for x in others) >= 0.5)
        else:
            assert np.isnan(share)


def test_items_in_no_interest_are_left_out() -> None:
    config = InterestConfig(drop_singletons=True)
    embeddings = np.concatenate((bundles(2, 8, 0.01), unit(np.eye(16)[5:6])))
    record = record_of(list(range(17)), embeddings, config)
    assert record.labels[-1] == -1
    found = stability(record, embeddings, config, seed=0)
    assert found.adjusted_rand_index == pytest.approx(1)
    assert found.found_again.tolist() == [1, 1]
