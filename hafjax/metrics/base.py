# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metric protocol: sums over batches, finalized once, over shared work.

Each metric is a module of this package that offers `METRIC`. Sums of batches
are added over batches and devices, and divided once at the end, so that a
partial last batch or padding changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import Any

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, Num
import numpy as np

from hafjax import frames
from hafjax.hierarchy import Hierarchy
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import at_least_float32

# Sums of a batch, and tables of the classes: arrays in dicts or structs.
Sums = Any
Tables = Any


@flax.struct.dataclass
class Scored:
  """A batch with its scores, and what metrics compute from them together.

  Attributes:
    scores: larger for likelier classes, [B, K].
    probs: probabilities of the classes, [B, K].
    labels: class indices, int[B].
    ranked: the likeliest classes in their order, int[B, m]; ties go to the
      lower index.
    losses: of the examples, [B]; None where there is no loss.
    features: [B, d]; None where only scores are known.
    frame: fixed class vectors, where there are any.
  """

  scores: Float[Array, 'b k']
  probs: Float[Array, 'b k']
  labels: Int[Array, 'b']
  ranked: Int[Array, 'b m']
  losses: Float[Array, 'b'] | None = None
  features: Float[Array, 'b d'] | None = None
  frame: frames.Frame | None = None

  @classmethod
  def create(
    cls,
    scores: Float[ArrayLike, 'b k'],
    labels: Integer[ArrayLike, 'b'],
    num_ranks: int,
    *,
    probs: Float[ArrayLike, 'b k'] | None = None,
    ranked: Integer[ArrayLike, 'b m'] | None = None,
    **others: Any,
  ) -> 'Scored':
    """Ranks a batch, and takes the softmax.

    Args:
      scores: [B, K]; in rows with NaN or +inf the label is ranked last.
      labels: class indices, int[B].
      num_ranks: how many of the likeliest classes are ranked.
      probs: of the classes; the softmax of the scores by default.
      ranked: see the attributes; computed here by default.
      **others: other attributes.
    """
    scores = at_least_float32(scores)
    if probs is None:
      probs = jax.nn.softmax(scores)
    if ranked is None:
      ranked = rank(label_last_where_invalid(scores, labels), num_ranks)
    probs = probs.astype(scores.dtype)
    return cls(scores, probs, labels, ranked, **others)


def label_last_where_invalid(scores, labels, xp=jnp):
  """Scores with rows that hold NaN or +inf replaced by the worst ones.

  Args:
    scores: [B, K].
    labels: int[B].
    xp: `jax.numpy` or `numpy`.
  """
  is_invalid = ~(scores < xp.inf).all(axis=1)
  is_label = labels[:, None] == xp.arange(scores.shape[1])[None]
  worst = -is_label.astype(scores.dtype)
  return xp.where(is_invalid[:, None], worst, scores)


def rank(
  scores: Float[ArrayLike, 'b k'], num_ranks: int
) -> Integer[Array, 'b m']:
  """The likeliest classes, in their order; ties go to the lower index."""
  # To `top_k`, 0 is more than -0.
  return jax.lax.top_k(jnp.where(scores == 0, 0, scores), num_ranks)[1]


def rank_on_host(scores: np.ndarray) -> Integer[np.ndarray, 'b k']:
  """`rank` of all classes; on CPU some ten times as fast as XLA's sort.

  Args:
    scores: [B, K], no NaN.
  """
  if scores.dtype != np.float32:
    return np.argsort(-scores, axis=1, kind='stable').astype(np.int32)
  # NumPy sorts integers fastest, with the class as the tail of a score that is
  # read as an integer: as it is where positive, its bits turned where negative.
  bits = (0.0 - scores).view(np.int32)
  keys = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
  keys <<= 32
  keys |= np.arange(scores.shape[1])
  keys.sort(axis=1)
  return keys.astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Metric:
  """How a metric is measured.

  Attributes:
    sums: (batch, tables, weight [B]) -> sums over the batch, to be added up;
      traced. The weight is 0 for examples that do not count, else 1.
    finalize: (sums, count, tables, frame) -> values by name, from the sums over
      `count` examples in float64; the frame is None where there is none.
    direction: how names begin -> 1 if more is better, -1 if less is.
    tables: (hierarchy, distances [K, K], ks) -> what the metric needs to know
      of the classes; made on the host, and an argument of compiled functions:
      of constants of this size, XLA would compute what it can when it compiles,
      for minutes.
    num_ranks: tables -> how many of the likeliest classes it needs in order.
    applies: whether it can be measured of such a batch.
  """

  sums: Callable[[Scored, Tables, Float[Array, 'b']], Sums]
  finalize: Callable[..., dict[str, float]]
  direction: Mapping[str, int]
  tables: Callable[
    [Hierarchy, Num[np.ndarray, 'k k'], Sequence[int]], Tables
  ] = lambda hierarchy, distances, ks: ()
  num_ranks: Callable[[Tables], int] = lambda tables: 1
  applies: Callable[[Scored], bool] = lambda batch: True
