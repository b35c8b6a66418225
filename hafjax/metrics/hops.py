# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""HOPS, how well the order of all classes follows the hierarchy."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num
import numpy as np

from hafjax.metrics import base


@flax.struct.dataclass
class Hops:
  """'hops' and 'hops@k', the means of `hops`.

  Attributes:
    ranks: of each class (columns) by distance from each other (rows): 0 for
      the nearest, 1 for all of the next distance, and so on, int[K, K].
    expected: a row's ranks in their order, int[K, K].
    weights: of the positions in that order, [K, K].
    worst: weighted errors of the first k positions reversed, [K, ks].
    ks: numbers of positions, at most K.
  """

  direction: ClassVar[Mapping[str, int]] = {'hops': 1}

  ranks: Int[Array, 'k k']
  expected: Int[Array, 'k k']
  weights: Float[Array, 'k k']
  worst: Float[Array, 'k p']
  ks: tuple[int, ...] = flax.struct.field(pytree_node=False)

  @classmethod
  def create(cls, tables: base.MetricTables) -> 'Hops':
    num_classes = len(tables.distances)
    ks = sorted({k for k in tables.ks if k < num_classes})
    return cls.of_distances(tables.distances, (*ks, num_classes))

  @classmethod
  def of_distances(
    cls, distances: Num[np.ndarray, 'k k'], ks: Sequence[int]
  ) -> 'Hops':
    """For some numbers of positions, ascending."""
    distances = np.asarray(distances)
    if np.issubdtype(distances.dtype, np.integer) and distances.max() < 2**15:
      distances = distances.astype(np.int16)  # Sorted ten times as fast.
    dtype = np.float64 if jax.config.jax_enable_x64 else np.float32
    # A few rows at a time, for what is thrown away is large.
    parts = [
      _rows(distances[start : start + 128], ks, dtype)
      for start in range(0, len(distances), 128)
    ]
    return cls(*map(np.concatenate, zip(*parts, strict=True)), tuple(ks))

  @property
  def num_ranked(self) -> int:
    """See `base.Metric`."""
    return self.ks[-1]

  def of_ranked(
    self, ranked: Int[Array, 'b m'], labels: Int[Array, 'b'], dtype
  ) -> Float[Array, 'b p']:
    """HOPS@k of examples for each of `ks`, from classes in their order."""
    ranked = ranked[:, : self.num_ranked]
    ranks = jnp.asarray(self.ranks)[labels[:, None], ranked]
    most = ranked.shape[1]
    error = jnp.abs(ranks - jnp.asarray(self.expected)[labels, :most])
    weights = jnp.asarray(self.weights, dtype)[labels, :most]
    error = weights * error.astype(dtype)
    lost = jnp.stack([error[:, :k].sum(axis=1) for k in self.ks], axis=1)
    worst = jnp.asarray(self.worst, dtype)[labels]
    graded = jnp.clip(1 - lost / jnp.where(worst > 0, worst, 1), 0, 1)
    # Nothing to be ordered, as for k = 1: right or wrong.
    return jnp.where(worst > 0, graded, (lost == 0).astype(dtype))

  def sums(self, batch: base.Scored, weight) -> dict:
    """See `base.Metric`."""
    values = self.of_ranked(batch.ranked, batch.labels, weight.dtype)
    total = jnp.sum(weight[:, None] * values, axis=0)
    return dict(hops=total, count=weight.sum())

  def finalize(self, sums: dict) -> dict[str, float]:
    """See `base.Metric`."""
    base.check_count(sums['count'])
    names = [*(f'hops@{k}' for k in self.ks[:-1]), 'hops']
    values = (sums['hops'] / sums['count']).tolist()
    return dict(zip(names, values, strict=True))


METRIC = Hops


def _rows(distances, ks, dtype) -> tuple[np.ndarray, ...]:
  """Ranks, expected, weights and worst of some classes."""
  by_distance = np.argsort(distances, axis=1, kind='stable')
  ordered = np.take_along_axis(distances, by_distance, axis=1)
  new = np.zeros(distances.shape, bool)
  new[:, 1:] = np.diff(ordered, axis=1) > 0
  ranks_type = np.int16 if distances.shape[1] < 2**15 else np.int32
  expected = np.cumsum(new, axis=1, dtype=ranks_type)
  ranks = np.empty_like(expected)
  np.put_along_axis(ranks, by_distance, expected, axis=1)
  weights = _weights(expected, new)
  errors = [np.abs(expected[:, :k] - expected[:, :k][:, ::-1]) for k in ks]
  worst = [np.sum(weights[:, : e.shape[1]] * e, axis=1) for e in errors]
  return ranks, expected, weights.astype(dtype), np.stack(worst, axis=1)


def _weights(expected, new) -> np.ndarray:
  """Halved from rank to rank, linear in the positions of one rank."""
  places = np.arange(expected.shape[1])
  first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
  is_last = np.append(new[:, 1:], np.ones((len(new), 1), bool), axis=1)
  last = np.where(is_last, places, places[-1])[:, ::-1]
  last = np.minimum.accumulate(last, axis=1)[:, ::-1]
  fraction = (places - first) / (last - first + 1)
  halves = 0.5 ** np.arange(expected.max() + 2.0)
  start = halves[expected]
  end = np.where(expected == expected[:, -1:], 0.0, start / 2)
  return np.where(expected, start + (end - start) * fraction, 1.0)


def hops(
  scores: Float[Array, 'b k'],
  labels: Int[Array, 'b'],
  distances: Num[np.ndarray, 'k k'],
  k: int | None = None,
) -> Float[Array, 'b']:
  """Hierarchically ordered preference score of each example.

  With e the ranks of the nearest classes in the hierarchy (0 for the label's
  own, equal distances have equal ranks) and o the ranks of the classes in the
  order of the scores, 1 - sum_t w_t |e_t - o_t| / sum_t w_t |e_t - f_t| over
  the first k positions, where f is e_1, ..., e_k reversed; 0 at least. Weights
  halve from rank to rank, linearly in the positions of one rank.

  Args:
    scores: larger for likelier classes, [B, K]; ties go to the lower index.
    labels: class indices, int[B].
    distances: between classes, [K, K].
    k: positions that count; all K by default. For k = 1, whether the first
      class is right.

  Returns:
    float[B] in [0, 1]: 1 where the order follows the hierarchy. HOPS and HOPS@k
    are its means (Sani and Anand, CVPR 2026).

  Raises:
    ValueError: if k is not between 1 and K, or the largest score of a row is no
      finite number.
  """
  num_classes = scores.shape[-1]
  k = num_classes if k is None else k
  if not 1 <= k <= num_classes:
    raise ValueError(f'k must be between 1 and {num_classes}, got {k}.')
  if not isinstance(scores, jax.core.Tracer):
    base.check_finite(np.asarray(scores))
  metric = Hops.of_distances(distances, (k,))
  return _jitted_hops(jnp.asarray(scores), jnp.asarray(labels), metric)


@jax.jit
def _jitted_hops(scores, labels, metric):
  batch = base.Scored(scores, labels, num_ranked=metric.num_ranked)
  return metric.of_ranked(batch.ranked, labels, batch.dtype)[:, 0]
