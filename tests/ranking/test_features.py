from __future__ import annotations

import numpy as np
import pytest
from tests.ranking.logs import Log, log_of, random_log

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.interests.history import History
from pinnersage.interests.record import UserRecord
from pinnersage.ranking.actions import records_before
from pinnersage.ranking.candidates import OWN, POPULAR, PROPOSED, SOURCES, WideSet
from pinnersage.ranking.features import FEATURES, features_of
from pinnersage.ranking.moment import UNKNOWN, Moment, moment_before
from pinnersage.retrieval.words import FEATURE_WORDS, SOURCE_WORDS

DAY = MS_PER_DAY
NOW = 100 * DAY
AT = {name: i for i, name in enumerate(FEATURES)}
CATEGORIES = np.array([0, 0, 1, 1, -1], np.int32)
VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8], [0.6, 0.8]], np.float32)


def shop() -> Log:
    """User 0 bought item 0 twice and item 2 once; others made item 3 popular; 4 is not born yet."""
    own = [(0, 0, NOW - 12 * DAY), (0, 0, NOW - 4 * DAY), (0, 2, NOW - 20 * DAY)]
    others = [(u, 3, NOW - 2 * DAY) for u in range(1, 5)] + [(1, 1, NOW - 40 * DAY), (1, 4, NOW + DAY)]
    return log_of(own + others, 5, 5)


def known(log: Log, vectors: Float32s = VECTORS) -> Moment:
    categories = CATEGORIES if len(vectors) == 5 else None
    return moment_before(log, NOW, vectors, np.ones(len(vectors), np.bool_), categories=categories)


def user(log: Log, u: int = 0, vectors: Float32s = VECTORS) -> UserRecord:
    return records_before(log, np.array([u]), vectors, InterestConfig(), NOW).record(0)


def test_values_by_hand() -> None:
    log = shop()
    record, moment = user(log), known(log)
    rows = np.array([0, 1, 3], np.int32)
    found = features_of(moment.view(record), rows, moment)
    medoids, shares = VECTORS[record.medoid_rows], record.importances / record.importances.sum()
    cosines = VECTORS[rows] @ medoids.T
    assert found[:, AT["best_cosine"]] == pytest.approx(cosines.max(axis=1), abs=1e-6)
    assert found[:, AT["interest_share"]] == pytest.approx(shares[cosines.argmax(axis=1)], abs=1e-6)
    assert found[:, AT["weighted_cosine"]] == pytest.approx(cosines @ shares, abs=1e-6)
    assert found[:, AT["sharp_cosine"]] == pytest.approx(np.maximum(cosines, 0) ** 8 @ shares, abs=1e-5)
    assert found[:, AT["in_7_days"]] == pytest.approx(np.log1p([1, 0, 4]))
    assert found[:, AT["ever"]] == pytest.approx(np.log1p([2, 1, 4]))
    assert found[:, AT["actions_per_user"]] == pytest.approx(np.log1p([2, 1, 4]) - np.log1p([1, 1, 4]))
    assert found[:, AT["age_days"]].tolist() == [12, 40, 2]
    assert found[:, AT["own_count"]].tolist() == [2, 0, 0]
    assert found[0, AT["own_idle_days"]] == pytest.approx(4)
    assert found[0, AT["own_gap_days"]] == pytest.approx(8)
    assert found[0, AT["own_due"]] == pytest.approx(4 / 8)
    assert found[1:, AT["own_due"]].tolist() == [UNKNOWN, UNKNOWN]
    weights = np.exp(-0.01 * np.array([12, 4, 20]))
    in_first = (weights[0] + weights[1]) / weights.sum()
    assert found[:, AT["category_share"]] == pytest.approx([in_first, in_first, 1 - in_first], abs=1e-6)
    mean = weights @ VECTORS[[0, 0, 2]]
    assert found[:, AT["mean_cosine"]] == pytest.approx(VECTORS[rows] @ mean / np.linalg.norm(mean), abs=1e-6)
    assert found[:, AT["popularity_rank"]] == pytest.approx(np.log1p([1, 2, 0]))
    assert found[0, AT["user_new_share"]] == pytest.approx(2 / 3)


def test_an_item_of_before_the_window_is_told_from_a_new_one() -> None:
    log = log_of([(0, 0, NOW - 4 * DAY), (0, 1, NOW - 200 * DAY), (1, 2, NOW - DAY)], 5, 5)
    found = features_of(known(log).view(user(log)), np.array([0, 1, 2], np.int32), known(log))
    assert found[:, AT["own_count"]].tolist() == [1, 0, 0]
    inside, before, never = found[:, AT["own_idle_days"]].tolist()
    assert inside == 4
    assert before > InterestConfig().window_days
    assert never == UNKNOWN


def test_order_of_candidates_does_not_matter() -> None:
    log, vectors = random_log(1)
    record, moment = user(log, 3, vectors), known(log, vectors)
    rows = np.random.default_rng(0).permutation(80)[:40].astype(np.int32)
    order = np.argsort(rows)
    viewed = moment.view(record)
    given, sorted_ = features_of(viewed, rows, moment), features_of(viewed, rows[order], moment)
    values = [i for name, i in AT.items() if not name.endswith("_rank") and name != "rank_in_interest"]
    assert given[order][:, values] == pytest.approx(sorted_[:, values], abs=1e-5)


def test_a_medoid_of_no_kept_action_has_the_features_of_one_that_is_kept() -> None:
    log, vectors = random_log(1)
    moment, rows = known(log, vectors), np.arange(80, dtype=np.int32)
    viewed = moment.view(user(log, 3, vectors))
    history, medoids = viewed.history, viewed.record.medoid_rows
    assert np.isin(medoids, history.rows).all()
    of_interests = [AT[name] for name in ("best_cosine", "interest_share", "weighted_cosine", "sharp_cosine")]
    of_interests += [AT["rank_in_interest"], AT["popularity_in_interest"]]
    expected = features_of(viewed, rows, moment)[:, of_interests]
    assert len(medoids) > 1
    for forgotten in (medoids[:1], medoids, history.rows):
        left = ~np.isin(history.rows, forgotten)
        kept = History._make(np.asarray(column)[left] for column in history)
        found = features_of(viewed._replace(history=kept), rows, moment)[:, of_interests]
        assert found.tobytes() == expected.tobytes()


def test_nothing_is_missing_or_infinite() -> None:
    log, vectors = random_log(2)
    moment = known(log, vectors)
    for record in (user(log, 5, vectors), user(log_of([(0, 0, NOW + 1)], 1, 80), 0, vectors)):
        found = features_of(moment.view(record), np.arange(80, dtype=np.int32), moment)
        assert np.isfinite(found).all()
    nothing = features_of(moment.view(user(log, 5, vectors)), np.empty(0, np.int32), moment)
    assert nothing.shape == (0, len(AT))


def test_the_wide_set_obeys_pool_seen_and_names_its_sources() -> None:
    log = shop()
    record, moment = user(log), known(log)
    wide = WideSet(moment, RankingConfig(budget=1))
    proposed = np.array([1, 4, 0, -1], np.int32)
    first = wide.of_user(moment.view(record), proposed, 1, repeats=False)
    assert first.rows.tolist() == [1, 3]  # 0 and 2 seen, 4 not born
    assert first.sources[0] & PROPOSED
    assert first.sources[1] & POPULAR
    assert not first.sources[1] & PROPOSED
    repeats = wide.of_user(moment.view(record), proposed, 1, repeats=True)
    assert repeats.rows.tolist() == [0, 1, 2, 3]
    assert repeats.sources[[0, 2]].tolist() == [s | OWN for s in repeats.sources[[0, 2]]]
    assert "own" in repeats.names(0)
    assert "popular" in first.names(1)


def test_every_source_gives_what_it_was_asked_for() -> None:
    log, vectors = random_log(3)
    moment = moment_before(log, 50 * DAY, vectors, np.ones(80, np.bool_))
    record = records_before(log, np.array([2]), vectors, InterestConfig(), 50 * DAY).record(0)
    alone = RankingConfig(n_popular_per_slot=2, n_linked_per_slot=0, n_category_per_slot=0)
    none = np.empty(0, np.int32)
    found = WideSet(moment, alone).of_user(moment.view(record), none, 4, repeats=False)
    seen = set(record.item_rows.tolist()) | set(record.seen_rows.tolist())
    unseen = [i for i in np.argsort(-moment.popularity, kind="stable").tolist() if i not in seen]
    assert set(unseen[:8]) <= set(found.rows.tolist())
    assert len(found.rows) <= 8 + 4


def test_every_feature_and_source_has_words_of_its_own() -> None:
    for words, names in ((FEATURE_WORDS, FEATURES), (SOURCE_WORDS, SOURCES)):
        assert tuple(words) == names
        assert len(set(words.values())) == len(names)
