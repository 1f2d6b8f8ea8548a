"""Embeddings from the words that texts share: TF-IDF with a truncated SVD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.embedding._extras import needed
from pinnersage.embedding.factors import left_factors, unit_rows

_WORDS = r"(?u)\b\w\w+\b"


def tfidf_embeddings(texts: Sequence[str], *, n_dimensions: int = 128, seed: int = 0) -> Float32s:
    """Return unit-length embeddings of ``texts`` from the words they share.

    Parameters
    ----------
    texts
        One per item.
    n_dimensions
        Upper bound; few or short texts give fewer.
    seed
        Seeds the randomised SVD.

    Returns
    -------
    float32 ``(n_texts, <= n_dimensions)``. A text without any word is all zeros.

    Raises
    ------
    UnavailableError
        scikit-learn is not installed.
    """
    vectorizer = needed("sklearn.feature_extraction.text", "embed").TfidfVectorizer
    counter = vectorizer(sublinear_tf=True, token_pattern=_WORDS, dtype=np.float32)
    words = counter.build_analyzer()
    if not any(words(text) for text in texts):
        return np.zeros((len(texts), 0), np.float32)
    return unit_rows(left_factors(counter.fit_transform(texts), n_dimensions, 1.0, seed))
