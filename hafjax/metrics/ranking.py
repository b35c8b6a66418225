# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical distance, precision and mAP at k; top-k accuracy; severity."""

from collections.abc import Mapping, Sequence

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer, Num
import numpy as np

from hafjax.metrics.base import Metric
from hafjax.metrics.base import Scored
from hafjax.metrics.checks import check_distances
from hafjax.metrics.checks import checked_batch
from hafjax.metrics.errors import MetricError
from hafjax.numerics import arrays
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike


@flax.struct.dataclass
class Ranking:
  """Distances, and the best that a ranking can do with them.

  Made on the host and given to compiled functions as an argument: of constants
  of this size, XLA would compute what it can when it compiles, for minutes.

  Attributes:
    distances: between classes, [K, K].
    ideal: of the nearest classes of each, nearest first, [K, most].
    ks: ranks to report, ascending; those above K are left out.
  """

  distances: Num[Array, 'k k']
  ideal: Num[Array, 'k m']
  ks: tuple[int, ...] = flax.struct.field(pytree_node=False)

  @property
  def num_ranks(self) -> int:
    """How many of the likeliest classes are compared."""
    return self.ideal.shape[1]

  @classmethod
  def create(
    cls, distances: Num[ArrayLike, 'k k'], ks: Sequence[int]
  ) -> 'Ranking':
    """From distances.

    Raises:
      MetricError: if a rank is below 1.
    """
    if min(ks, default=1) < 1:
      raise MetricError(f'ks must be at least 1, got {tuple(ks)}.')
    dtype = np.float64 if jax.config.jax_enable_x64 else np.float32
    distances = check_distances(distances).astype(dtype)
    num_classes = len(distances)
    ks = tuple(sorted({k for k in ks if k <= num_classes}))
    most = max([*ks, min(5, num_classes)])
    ideal = np.partition(distances, most - 1, axis=1)[:, :most]
    ideal.sort(axis=1)
    return cls(distances, ideal, ks)


def hierarchical_sums(
  scores: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  ranking: Ranking,
  mask: Bool[ArrayLike, 'b'] | None = None,
) -> dict[str, Array]:
  """A batch's part of `hierarchical_metrics`, to be added to others'.

  Args:
    scores: larger for likelier classes, [B, K]; ties go to the lower index.
    labels: class indices, int[B].
    ranking: of the K classes.
    mask: which examples count, bool[B]; all by default.

  Returns:
    A dict of sums over the examples that count.
  """
  scores, labels = arrays.as_jax(scores), arrays.as_jax(labels)
  batch = Scored.create(scores, labels, ranking.num_ranks)
  mask = jnp.ones(len(labels), bool) if mask is None else arrays.as_jax(mask)
  return sums_of_ranked(
    batch.ranked, labels, ranking, mask.astype(batch.scores.dtype)
  )


def sums_of_ranked(
  ranked: Integer[ArrayLike, 'b m'],
  labels: Integer[ArrayLike, 'b'],
  ranking: Ranking,
  weight: Float[ArrayLike, 'b'],
) -> dict[str, Array]:
  """`hierarchical_sums` of classes in their order, the likeliest first."""
  dtype, most = weight.dtype, ranking.num_ranks
  ranked = ranked[:, :most]
  distances = jnp.asarray(ranking.distances, dtype)
  ideal = jnp.asarray(ranking.ideal, dtype)[labels]
  # Where all distances are 0, all classes are alike.
  largest = jnp.maximum(jnp.max(distances), jnp.finfo(dtype).tiny)
  hit = ranked == labels[:, None]
  distance = distances[labels[:, None], ranked]
  wrong = weight * ~hit[:, 0]

  def total(values, weight=weight):
    return jnp.sum(weight[:, None] * values, axis=0)

  return dict(
    count=weight.sum(),
    mistakes=wrong.sum(),
    hits=total(hit.astype(dtype)),
    distance=total(distance),
    mistake_distance=total(distance, wrong),
    best_distance=total(jax.lax.cummin(distance, axis=1)),
    similarity=total(1 - distance / largest),
    ideal_similarity=total(1 - ideal / largest),
  )


def ranking_metrics(
  sums: Mapping[str, AnyArray], ks: Sequence[int]
) -> dict[str, float]:
  """`hierarchical_metrics` from sums over a split, float64."""
  count, mistakes = sums['count'], sums['mistakes']
  most = len(sums['hits'])
  ranks = np.arange(1, most + 1)
  hits = np.cumsum(sums['hits']) / count
  precision = np.cumsum(sums['similarity']) / np.cumsum(
    sums['ideal_similarity']
  )
  by_rank = {
    'hier_dist': np.cumsum(sums['distance']) / (count * ranks),
    'best_hier_dist': sums['best_distance'] / count,
    'mistake_hier_dist': np.cumsum(sums['mistake_distance'])
    / (max(mistakes, 1) * ranks),
    'hier_precision': precision,
    'hier_map': np.cumsum(precision) / ranks,
  }
  shown = {1, *([5] if most >= 5 else []), *(k for k in ks if k <= most)}
  found = {f'top{k}': float(hits[k - 1]) for k in sorted(shown)}
  found['mistake_severity'] = float(by_rank['mistake_hier_dist'][0])
  for name, values in by_rank.items():
    found |= {f'{name}@{k}': float(values[k - 1]) for k in ks if k <= most}
  return found


def hierarchical_metrics(
  scores: Float[ArrayLike, 'n k'],
  labels: Integer[ArrayLike, 'n'],
  distances: Num[ArrayLike, 'k k'],
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
    MetricError: if there are no examples, shapes do not fit, a score is NaN or
      infinite, a label is no class, or a rank is below 1.
  """
  ranking = Ranking.create(distances, ks)
  scores, labels = checked_batch(scores, labels, len(ranking.distances))
  sums = _jitted_sums(scores, labels, ranking)
  sums = {name: np.asarray(value, np.float64) for name, value in sums.items()}
  return ranking_metrics(sums, ranking.ks)


_jitted_sums = jax.jit(hierarchical_sums)


METRIC = Metric(
  sums=lambda batch, ranking, weight: sums_of_ranked(
    batch.ranked, batch.labels, ranking, weight
  ),
  finalize=lambda sums, count, ranking, frame: ranking_metrics(
    sums, ranking.ks
  ),
  direction={
    'top': 1,
    'mistake_severity': -1,
    'hier_dist@': -1,
    'best_hier_dist@': -1,
    'mistake_hier_dist@': -1,
    'hier_precision@': 1,
    'hier_map@': 1,
  },
  tables=lambda hierarchy, distances, ks: Ranking.create(distances, ks),
  num_ranks=lambda ranking: ranking.num_ranks,
)
