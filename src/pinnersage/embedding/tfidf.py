"""Embeddings from the words that texts share: TF-IDF with a truncated SVD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pinnersage._arrays import Bools, Float32s
from pinnersage.embedding._extras import needed
from pinnersage.embedding.factors import factors_of, unit_rows

_WORDS = r"(?u)\b\w\w+\b"


def tfidf_embeddings(
    texts: Sequence[str], *, n_dimensions: int = 128, seed: int = 0, learnt_on: Bools | None = None
) -> Float32s:
    """Return unit-length embeddings of ``texts`` from the words they share.

    Parameters
    ----------
    texts
        One per item.
    n_dimensions
        Upper bound; few or short texts give fewer.
    seed
        Seeds the randomised SVD.
    learnt_on
        bool ``(n_texts,)``: words, their weights and the directions are learnt from these texts, and the
        others are placed by what was learnt; they change no bit of these. None: all.

    Returns
    -------
    float32 ``(n_texts, <= n_dimensions)``. A text without any word, or of unknown words only, is all zeros.

    Raises
    ------
    UnavailableError
        scikit-learn is not installed.
    """
    vectorizer = needed("sklearn.feature_extraction.text", "embed").TfidfVectorizer
    counter = vectorizer(sublinear_tf=True, token_pattern=_WORDS, dtype=np.float32)
    words = counter.build_analyzer()
    learnt = np.ones(len(texts), np.bool_) if learnt_on is None else learnt_on
    own = [texts[i] for i in np.flatnonzero(learnt).tolist()]
    if not any(words(text) for text in own):
        return np.zeros((len(texts), 0), np.float32)
    found = factors_of(counter.fit_transform(own), n_dimensions, seed)
    made = np.zeros((len(texts), len(found.values)), np.float32)
    made[learnt] = unit_rows(found.left * found.values)
    if not learnt.all():
        others = counter.transform([texts[i] for i in np.flatnonzero(~learnt).tolist()])
        made[~learnt] = unit_rows(others @ found.right.T)
    return made
