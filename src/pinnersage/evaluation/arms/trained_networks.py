"""Sequence networks of ``torch-rechub`` behind one interface: histories in, one or several vectors out.

The networks are the library's; loss and loop are ours, because the library's own trainer writes files,
prints, and learns from a few sampled negatives where a whole catalogue of this size fits.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Int64s
from pinnersage.evaluation.arms._trained_extras import needed

Network = Literal["sasrec", "comirec", "mind"]

_EXTRA = "sequence"
_MIN_BATCH = 2  # the library drops the axis of a batch of one


class Shape(NamedTuple):
    """Size of a network.

    Attributes
    ----------
    n_ids
        Items known, and 1 for the empty place.
    n_dims
        Of a vector.
    max_length
        Of a history.
    n_interests
        Vectors per user; SASRec has one.
    dropout
        Of SASRec.
    """

    n_ids: int
    n_dims: int
    max_length: int
    n_interests: int
    dropout: float


class UserNetwork:
    """A network with its own table of items."""

    def __init__(self, network: Network, shape: Shape, temperature: float) -> None:
        self._network = network
        self._torch = needed("torch", _EXTRA)
        self._is_unit = network != "sasrec"
        self._temperature = temperature if self._is_unit else 1.0
        self.module = _sasrec(shape) if network == "sasrec" else _multi_interest(network, shape)

    def items(self) -> Any:
        """Return the items' vectors, ``(n_ids, d)``; the first stands for none."""
        embeddings = self.module.item_emb if self._network == "sasrec" else self.module.embedding
        table = embeddings.embed_dict["seq"].weight
        return self._torch.nn.functional.normalize(table, dim=-1) if self._is_unit else table

    def users(self, histories: Any) -> Any:
        """Return the vectors of a batch of at least two histories, ``(n, n_interests, d)``."""
        self.module.mode = "user"
        constant = self._torch.zeros(len(histories), dtype=self._torch.int64)
        vectors = self.module({"seq": histories, "anyone": constant}) / self._temperature
        return vectors[:, None] if vectors.dim() == 2 else vectors

    def loss(self, histories: Any, targets: Any) -> Any:
        """Return the mean cross-entropy of targets, each left to the user's vector that fits it best."""
        torch, items = self._torch, self.items()
        logits = self.users(histories) @ items[1:].T
        own = torch.gather(logits, 2, (targets - 1)[:, None].expand(-1, logits.shape[1], -1))
        best = own.argmax(dim=1)
        norms = torch.logsumexp(logits, dim=2)
        gained = torch.gather(own, 1, best[:, None])[:, 0]
        return -(gained - torch.gather(norms, 1, best)).mean()

    def scores(self, histories: Int64s) -> Float32s:
        """Return the best inner product of each item with a user's vectors, float32 ``(n, n_ids - 1)``.

        A user's scores do not depend on who else is asked for, except in the last bits.
        """
        torch = self._torch
        self.module.eval()
        # MIND draws where its routing starts: asked one by one, every user starts at the same draw.
        step = 1 if self._network == "mind" else 256
        parts = []
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            items = self.items()[1:].T
            for start in range(0, len(histories), step):
                torch.manual_seed(0)
                part = torch.from_numpy(histories[start : start + step])
                padded = torch.cat((part, part[:1])) if len(part) < _MIN_BATCH else part
                parts.append((self.users(padded)[: len(part)] @ items).amax(dim=1).numpy())
        return np.concatenate(parts) if parts else np.empty((0, items.shape[1]), np.float32)


def _sequence(name: str, shape: Shape, shared_with: str | None = None) -> Any:
    features = needed("torch_rechub.basic.features", _EXTRA)
    start = needed("torch_rechub.basic.initializers", _EXTRA).RandomNormal(0, shape.n_dims**-0.5)
    return features.SequenceFeature(
        name, shape.n_ids, shape.n_dims, pooling="concat", shared_with=shared_with, initializer=start
    )


def _sasrec(shape: Shape) -> Any:
    names = (("seq", None), ("pos", "seq"), ("neg", "seq"))
    return needed("torch_rechub.models.matching", _EXTRA).SASRec(
        [_sequence(name, shape, shared) for name, shared in names],
        max_len=shape.max_length,
        dropout_rate=shape.dropout,
    )


def _multi_interest(network: Network, shape: Shape) -> Any:
    models = needed("torch_rechub.models.matching", _EXTRA)
    features = needed("torch_rechub.basic.features", _EXTRA)
    # The library wants a feature of the user; one that is the same for all keeps unknown users served.
    anyone = features.SparseFeature("anyone", 1, 1)
    item = features.SparseFeature("item", shape.n_ids, shape.n_dims, shared_with="seq")
    parts = ([anyone], [_sequence("seq", shape)], [item], [_sequence("neg", shape, "seq")])
    if network == "mind":
        return models.MIND(*parts, max_length=shape.max_length, interest_num=shape.n_interests)
    return models.ComirecSA(*parts, interest_num=shape.n_interests)
