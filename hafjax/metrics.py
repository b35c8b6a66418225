# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical metrics, as sums over batches: exact for any split and batch.

`hierarchical_sums` runs jitted on a batch, its results are added over batches
and devices, and `finalise` divides once at the end, so that a partial last
batch or padding changes nothing.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num
import numpy as np


def hierarchical_sums(
  scores: Float[Array, 'b k'],
  labels: Int[Array, 'b'],
  distances: Num[Array, 'k k'],
  ks: Sequence[int] = (1, 5, 20),
  mask: Bool[Array, 'b'] | None = None,
) -> dict[str, Array]:
  """A batch's part of `hierarchical_metrics`, to be added to others'.

  Args:
    scores: larger for likelier classes, [B, K]; ties go to the lower index.
    labels: class indices, int[B].
    distances: between classes, [K, K].
    ks: ranks; those above K are left out.
    mask: which examples count, bool[B]; all by default.

  Returns:
    A dict of sums over the examples that count.
  """
  num_classes = scores.shape[-1]
  ks = sorted({k for k in ks if k <= num_classes})
  most = max([*ks, min(5, num_classes)])
  mask = jnp.ones(len(labels), bool) if mask is None else mask
  dtype = jnp.promote_types(scores.dtype, jnp.float32)
  weight = mask.astype(dtype)
  distances = jnp.asarray(distances, dtype)

  _, ranked = jax.lax.top_k(scores, most)
  hit = ranked == labels[:, None]
  found = distances[labels[:, None], ranked]
  wrong = weight * ~hit[:, 0]
  # The nearest classes of each, nearest first: the best that ranks can be.
  ideal = jnp.sort(distances, axis=1)[:, :most][labels]
  largest = jnp.max(distances)
  ranks = jnp.arange(1, most + 1, dtype=dtype)

  def total(values, weight=weight):
    return jnp.sum(weight[:, None] * values, axis=0)

  return dict(
    count=weight.sum(),
    mistakes=wrong.sum(),
    hits=total(hit.astype(dtype)),
    distance=total(found),
    mistake_distance=total(found, wrong),
    best_distance=total(jax.lax.cummin(found, axis=1)),
    similarity=total(1 - found / largest),
    ideal_similarity=total(1 - ideal / largest),
    ranks=weight.sum() * ranks,
  )


def finalise(
  sums: dict[str, Array], ks: Sequence[int] = (1, 5, 20)
) -> dict[str, float]:
  """Metrics from the sums over a whole split; see `hierarchical_metrics`.

  Raises:
    ValueError: if there are no examples, or a rank is below 1.
  """
  if min(ks, default=1) < 1:
    raise ValueError(f'ks must be at least 1, got {tuple(ks)}.')
  sums = {name: np.asarray(value, np.float64) for name, value in sums.items()}
  count, mistakes = sums['count'], sums['mistakes']
  if not count:
    raise ValueError('There are no examples to measure.')
  most = len(sums['hits'])
  hits = np.cumsum(sums['hits']) / count
  ranks = np.arange(1, most + 1)
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
  found = {'top1': float(hits[0])}
  if most >= 5:
    found['top5'] = float(hits[4])
  found['mistake_severity'] = float(by_rank['mistake_hier_dist'][0])
  for name, values in by_rank.items():
    found |= {f'{name}@{k}': float(values[k - 1]) for k in ks if k <= most}
  return found


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
    each k 'hier_dist@k', the mean of d_nj over examples and j <= k;
    'best_hier_dist@k', of the least d_nj; 'mistake_hier_dist@k', of d_nj over
    wrong top-1 predictions; 'hier_precision@k', the summed similarities
    1 - d_nj / max D over the largest that they could be; 'hier_map@k', the mean
    of that over 1, ..., k. Bertinetto et al., CVPR 2020 (arXiv 1912.09393);
    precision is normalised over the examples' own classes, where the published
    code takes each class once and so depends on the batch size.

  Raises:
    ValueError: if there are no examples.
  """
  if not len(labels):
    raise ValueError('There are no examples to measure.')
  arrays = (jnp.asarray(array) for array in (scores, labels, distances))
  return finalise(_jitted_sums(*arrays, tuple(ks)), ks)


_jitted_sums = jax.jit(hierarchical_sums, static_argnames='ks')
