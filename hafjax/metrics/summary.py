# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Everything that can be said of scores, in one pass."""

from collections.abc import Sequence
import functools

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer, Num
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.metrics import calibration
from hafjax.metrics import levels as levels_lib
from hafjax.metrics import ranking as ranking_lib
from hafjax.metrics.errors import MetricError
from hafjax.metrics.hops import HopsTables
from hafjax.metrics.hops import hops_of_ranked
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike

# Ranks that are reported where nothing else is said.
KS = (1, 5, 10, 20, 100)


@flax.struct.dataclass
class MetricTables:
  """What the hierarchy says of each class, made once, on the host.

  An argument of compiled functions, like `ranking.Ranking`.

  Attributes:
    hierarchy: K classes.
    ranking, order, levels: see there.
  """

  hierarchy: Hierarchy = flax.struct.field(pytree_node=False)
  ranking: ranking_lib.Ranking
  order: HopsTables
  levels: levels_lib.Levels

  @classmethod
  def create(
    cls,
    hierarchy: Hierarchy,
    distances: Num[np.ndarray, 'k k'] | None = None,
    ks: Sequence[int] = KS,
  ) -> 'MetricTables':
    """Of a hierarchy, and distances other than its LCA heights.

    Raises:
      MetricError: if a rank is below 1.
    """
    distances = hierarchy.distances() if distances is None else distances
    ranking = ranking_lib.Ranking.create(distances, ks)
    num_classes = hierarchy.num_classes
    places = (*(k for k in ranking.ks if k < num_classes), num_classes)
    return cls(
      hierarchy=hierarchy,
      ranking=ranking,
      order=HopsTables.create(distances, places),
      levels=levels_lib.Levels.create(hierarchy),
    )


def evaluation_sums(
  scores: Float[Array, 'b k'],
  labels: Int[Array, 'b'],
  truth: MetricTables,
  mask: Bool[Array, 'b'] | None = None,
  probs: Float[Array, 'b k'] | None = None,
  ranked: Int[Array, 'b k'] | None = None,
) -> dict:
  """A batch's part of `evaluate`, to be added to others'.

  Args:
    scores: larger for likelier classes, [B, K]; ties go to the lower index. A
      row that holds NaN or infinity is the severest of mistakes.
    labels: class indices, int[B].
    truth: of the K classes.
    mask: which examples count, bool[B]; all by default.
    probs: of the classes, [B, K]; the softmax of the scores by default.
    ranked: classes, the likeliest first, [B, K]; found here by default.

  Returns:
    Nested dicts of sums over the examples that count.
  """
  mask = jnp.ones(len(labels), bool) if mask is None else mask
  dtype = jnp.promote_types(scores.dtype, jnp.float32)
  weight = mask.astype(dtype)
  scores = ranking_lib.severest_where_nan(scores, labels, truth.ranking)
  if probs is None:
    probs = jax.nn.softmax(scores.astype(dtype))
  else:
    probs = ranking_lib.severest_where_nan(probs, labels, truth.ranking)
  probs = probs.astype(dtype)
  if ranked is None:
    ranked = ranking_lib.ranked(scores, scores.shape[1])
  return dict(
    ranking_lib.sums_of_ranked(ranked, labels, truth.ranking, weight),
    hops=weight @ hops_of_ranked(ranked, labels, truth.order, dtype),
    calibration=calibration.calibration_sums(probs, labels, weight),
    levels=levels_lib.level_sums(
      ranked[:, 0], probs, labels, truth.hierarchy, truth.levels, weight
    ),
  )


def finalise(
  sums: dict, truth: MetricTables | ranking_lib.Ranking
) -> dict[str, float]:
  """Metrics from the sums over a whole split.

  Args:
    sums: of `evaluation_sums`, or of `hierarchical_sums` with its ranking;
      added over batches.
    truth: the same.

  Returns:
    What `evaluate`, or `hierarchical_metrics`, returns.

  Raises:
    MetricError: if there are no examples.
  """
  sums = jax.tree.map(lambda value: np.asarray(value, np.float64), sums)
  count = float(sums['count'])
  if not count:
    raise MetricError('There are no examples to measure.')
  if isinstance(truth, ranking_lib.Ranking):
    return ranking_lib.ranking_metrics(sums, truth.ks)
  found = ranking_lib.ranking_metrics(sums, truth.ranking.ks)
  *places, _ = truth.order.ks
  names = [*(f'hops@{k}' for k in places), 'hops']
  found |= dict(zip(names, (sums['hops'] / count).tolist(), strict=True))
  found |= levels_lib.level_metrics(sums['levels'], count)
  return found | calibration.calibration_metrics(sums['calibration'], count)


def evaluate(
  scores: Float[ArrayLike, 'n k'],
  labels: Integer[ArrayLike, 'n'],
  hierarchy: Hierarchy,
  distances: Num[ArrayLike, 'k k'] | None = None,
  ks: Sequence[int] = KS,
  are_probabilities: bool = False,
  batch_size: int = 500,
) -> dict[str, float]:
  """Everything that can be said of scores, a batch at a time.

  Args:
    scores: larger for likelier classes, [N, K]; may be memory-mapped.
    labels: class indices, int[N].
    hierarchy: K classes, height H.
    distances: between classes, [K, K]; its LCA heights by default.
    ks: ranks; those above K are left out.
    are_probabilities: whether the scores are the classes' probabilities; if
      not, their softmax is.
    batch_size: examples at a time.

  Returns:
    `hierarchical_metrics`; 'hops' and 'hops@k' (see `hops`);
    'full_path_accuracy'; 'level_accuracy@1' to '@H', the share of examples
    whose predicted class is under the right node of that depth;
    'mistakes@height_1' to '_H', the share of examples whose prediction has its
    lowest common ancestor with the label at that height; 'path_consistency',
    the share of examples whose likeliest nodes of all levels lie on one path
    (one minus the tree-based inconsistency error), and 'step_consistency', the
    share of neighbouring levels whose likeliest nodes do; 'ece' and 'mce' (see
    `calibration_error`). A class less deep than a level stands for itself.

  Raises:
    MetricError: if there are no examples, shapes do not fit, scores are NaN or
      infinite, labels are no classes, or a rank is below 1.
  """
  labels = arrays.as_numpy(labels)
  if not isinstance(scores, np.ndarray):  # May be memory-mapped.
    scores = arrays.as_numpy(scores)
  num_classes = hierarchy.num_classes
  if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
    raise MetricError(
      'labels must be integers of shape [N], the numbers of classes, got '
      f'{labels.dtype} of shape {list(labels.shape)}.'
    )
  if np.shape(scores) != (len(labels), num_classes):
    raise MetricError(
      f'scores must be of shape [{len(labels)}, {num_classes}], a row for each '
      'label and a column for each class of the hierarchy, got '
      f'{list(np.shape(scores))}.'
    )
  if not len(labels):
    raise MetricError('There are no examples to measure.')
  if labels.min() < 0 or labels.max() >= num_classes:
    raise MetricError(
      f'Labels must be from 0 to {num_classes - 1}, got {labels.min()} to '
      f'{labels.max()}.'
    )
  truth = jax.device_put(MetricTables.create(hierarchy, distances, ks))
  total = None
  batch_size = min(batch_size, len(labels))
  for start in range(0, len(labels), batch_size):
    rows = np.arange(start, start + batch_size)
    mask = rows < len(labels)
    rows = np.minimum(rows, len(labels) - 1)
    batch = np.asarray(scores[rows])
    checks.check_scores(batch, MetricError, first=start)
    ranked = ranking_lib.ranked_on_host(batch)
    sums = _batch_sums(
      batch, labels[rows], truth, mask, ranked, are_probabilities
    )
    sums = jax.tree.map(lambda x: np.asarray(x, np.float64), sums)
    total = sums if total is None else jax.tree.map(np.add, total, sums)
  return finalise(total, truth)


@functools.partial(jax.jit, static_argnames='are_probabilities')
def _batch_sums(scores, labels, truth, mask, ranked, are_probabilities):
  probs = scores if are_probabilities else None
  return evaluation_sums(scores, labels, truth, mask, probs, ranked)
