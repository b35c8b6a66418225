# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy, and hierarchical distance, precision and mAP at k."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num
import numpy as np

from hafjax.metrics import base


@flax.struct.dataclass
class Ranking:
  """`hierarchical_metrics` of batches.

  Attributes:
    distances: between classes, [K, K].
    ideal: distances of the nearest classes of each, nearest first, [K, most].
    ks: ranks to report, ascending; those above K are left out.
  """

  direction: ClassVar[Mapping[str, int]] = {
    'top': 1,
    'mistake_severity': -1,
    'hier_dist@': -1,
    'best_hier_dist@': -1,
    'mistake_hier_dist@': -1,
    'hier_precision@': 1,
    'hier_map@': 1,
  }

  distances: Num[Array, 'k k']
  ideal: Num[Array, 'k m']
  ks: tuple[int, ...] = flax.struct.field(pytree_node=False)

  @classmethod
  def create(cls, tables: base.MetricTables) -> 'Ranking':
    return cls.of_distances(tables.distances, tables.ks)

  @classmethod
  def of_distances(
    cls, distances: Num[np.ndarray, 'k k'], ks: Sequence[int]
  ) -> 'Ranking':
    """Without a hierarchy.

    Raises:
      ValueError: if a rank is below 1.
    """
    base.check_ranks(ks)
    dtype = np.float64 if jax.config.jax_enable_x64 else np.float32
    distances = np.asarray(distances, dtype)
    num_classes = len(distances)
    ks = tuple(sorted({k for k in ks if k <= num_classes}))
    most = max([*ks, min(5, num_classes)])
    ideal = np.partition(distances, most - 1, axis=1)[:, :most]
    ideal.sort(axis=1)
    return cls(distances, ideal, ks)

  @property
  def num_ranked(self) -> int:
    """See `base.Metric`."""
    return self.ideal.shape[1]

  def sums(self, batch: base.Scored, weight) -> dict[str, Array]:
    """See `base.Metric`."""
    dtype, labels = weight.dtype, batch.labels
    ranked = batch.ranked[:, : self.num_ranked]
    distances = jnp.asarray(self.distances, dtype)
    ideal = jnp.asarray(self.ideal, dtype)[labels]
    hit = ranked == labels[:, None]
    by_rank = distances[labels[:, None], ranked]
    wrong = weight * ~hit[:, 0]

    def total(values, weight=weight):
      return jnp.sum(weight[:, None] * values, axis=0)

    return dict(
      count=weight.sum(),
      mistakes=wrong.sum(),
      hits=total(hit.astype(dtype)),
      distance=total(by_rank),
      mistake_distance=total(by_rank, wrong),
      # Of the ranks that are reported alone: XLA compiles a running minimum
      # slowly.
      best_distance=[
        jnp.sum(weight * by_rank[:, :k].min(axis=1)) for k in self.ks
      ],
      ideal_distance=total(ideal),
    )

  def finalize(self, sums: dict[str, np.ndarray]) -> dict[str, float]:
    """See `base.Metric`."""
    count, mistakes = sums['count'], sums['mistakes']
    base.check_count(count)
    most, at = len(sums['hits']), np.array(self.ks, int) - 1
    ranks = np.arange(1, most + 1)
    hits = np.cumsum(sums['hits']) / count
    # Where all distances are 0, all classes are alike.
    largest = max(float(np.max(self.distances)), np.finfo(np.float32).tiny)
    similarity, ideal = (
      np.cumsum(count - sums[name] / largest)
      for name in ('distance', 'ideal_distance')
    )
    precision = similarity / ideal
    mistaken = np.cumsum(sums['mistake_distance']) / (max(mistakes, 1) * ranks)
    at_ks = {
      'hier_dist': (np.cumsum(sums['distance']) / (count * ranks))[at],
      'best_hier_dist': np.array(sums['best_distance']) / count,
      'mistake_hier_dist': mistaken[at],
      'hier_precision': precision[at],
      'hier_map': (np.cumsum(precision) / ranks)[at],
    }
    figures = {
      f'top{k}': float(hits[k - 1])
      for k in sorted({1, *([5] if most >= 5 else []), *self.ks})
    }
    figures['mistake_severity'] = float(mistaken[0])
    for name, values in at_ks.items():
      figures |= {
        f'{name}@{k}': float(value)
        for k, value in zip(self.ks, values, strict=True)
      }
    return figures


METRIC = Ranking


def hierarchical_metrics(
  scores: Float[Array, 'n k'],
  labels: Int[Array, 'n'],
  distances: Num[Array, 'k k'],
  ks: Sequence[int] = (1, 5, 20),
) -> dict[str, float]:
  """Accuracy, and how severe the mistakes are.

  With d_nj the distance of the j-th ranked class of example n from its label:

  Args:
    scores: larger for likelier classes, [N, K]; ties go to the lower index.
    labels: class indices, int[N].
    distances: between classes, [K, K].
    ks: ranks; those above K are left out.

  Returns:
    'top1', 'top5' (fractions; the latter where K >= 5); 'mistake_severity', the
    mean of d_n1 over wrong top-1 predictions (0 if there are none); and for
    each k 'topk'; 'hier_dist@k', the mean of d_nj over examples and j <= k;
    'best_hier_dist@k', of the least d_nj; 'mistake_hier_dist@k', of d_nj over
    wrong top-1 predictions; 'hier_precision@k', the summed similarities
    1 - d_nj / max D over the largest that they could be; 'hier_map@k', the mean
    of that over 1, ..., k. Bertinetto et al., CVPR 2020 (arXiv 1912.09393);
    precision is normalised over the examples' own classes, where the published
    code takes each class once and so depends on the batch size.

  Raises:
    ValueError: if there are no examples, a rank is below 1, or the largest
      score of a row is no finite number.
  """
  ranking = Ranking.of_distances(distances, ks)
  base.check_count(len(labels))
  base.check_finite(np.asarray(scores))
  sums = _sums(jnp.asarray(scores), jnp.asarray(labels), ranking)
  return base.finalize(dict(ranking=ranking), sums)


@jax.jit
def _sums(scores, labels, ranking):
  batch = base.Scored(scores, labels, num_ranked=ranking.num_ranked)
  return base.sums(dict(ranking=ranking), batch)
