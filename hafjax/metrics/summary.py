# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""All metrics of scores, in one pass."""

from collections.abc import Sequence
import functools

import jax
from jaxtyping import Float, Int, Num
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.metrics import base


def evaluate(
  scores: Float[np.ndarray, 'n k'],
  labels: Int[np.ndarray, 'n'],
  hierarchy: Hierarchy,
  distances: Num[np.ndarray, 'k k'] | None = None,
  ks: Sequence[int] = base.KS,
  are_probabilities: bool = False,
  batch_size: int = 500,
  names: Sequence[str] | None = None,
) -> dict[str, float]:
  """All metrics of scores, a batch at a time.

  Args:
    scores: larger for likelier classes, [N, K]; may be memory-mapped.
    labels: class indices, int[N].
    hierarchy: K classes, height H.
    distances: between classes, [K, K]; its LCA heights by default.
    ks: ranks; those above K are left out.
    are_probabilities: whether the scores are the classes' probabilities; if
      not, their softmax is.
    batch_size: examples at a time.
    names: of metrics, such as 'ranking', 'hops', 'levels' and 'calibration';
      all by default.

  Returns:
    `hierarchical_metrics`; 'hops' and 'hops@k' (see `hops`);
    'full_path_accuracy'; 'level_accuracy@1' to '@H', the share of examples
    whose predicted class is under the right node of that depth;
    'mistakes@height_1' to '_H', the share of examples whose prediction has its
    lowest common ancestor with the label at that height; 'path_consistency',
    the share of examples whose likeliest nodes of all levels lie on one path
    (one minus the tree-based inconsistency error), and 'step_consistency', the
    share of neighboring levels whose likeliest nodes do; 'ece' and 'mce' (see
    `calibration_error`). A class less deep than a level stands for itself.

  Raises:
    ValueError: if there are no examples, shapes do not fit, labels are no
      classes, the largest score of a row is no finite number, a rank is below
      1, or there is no such metric.
  """
  labels = np.asarray(labels)
  _check(scores, labels, hierarchy.num_classes)
  tables = base.MetricTables.create(hierarchy, distances, ks)
  metrics = tables.select(names)
  num_ranked = base.num_ranked(metrics)
  on_device, total = jax.device_put(metrics), None
  batch_size = min(batch_size, len(labels))
  for start in range(0, len(labels), batch_size):
    rows = np.arange(start, start + batch_size)
    mask = rows < len(labels)
    rows = np.minimum(rows, len(labels) - 1)
    batch = np.asarray(scores[rows])
    base.check_finite(batch, start)
    ranked = base.rank_on_host(batch, num_ranked) if num_ranked else None
    sums = _batch_sums(
      batch, labels[rows], on_device, mask, ranked, are_probabilities
    )
    total = base.add(total, sums)
  return base.finalize(metrics, total)


def _check(scores, labels, num_classes: int):
  """Raises ValueError if shapes or labels do not fit."""
  if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(
      'labels must be integers of shape [N], the numbers of classes, got '
      f'{labels.dtype} of shape {list(labels.shape)}.'
    )
  if np.shape(scores) != (len(labels), num_classes):
    raise ValueError(
      f'scores must be of shape [{len(labels)}, {num_classes}], a row for each '
      'label and a column for each class of the hierarchy, got '
      f'{list(np.shape(scores))}.'
    )
  base.check_count(len(labels))
  if labels.min() < 0 or labels.max() >= num_classes:
    raise ValueError(
      f'Labels must be from 0 to {num_classes - 1}, got {labels.min()} to '
      f'{labels.max()}.'
    )


@functools.partial(jax.jit, static_argnames='are_probabilities')
def _batch_sums(scores, labels, metrics, mask, ranked, are_probabilities):
  probs = scores if are_probabilities else None
  batch = base.Scored(scores, labels, ranked=ranked, probs=probs)
  return base.sums(metrics, batch, mask)
