# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Calibration error (ECE, MCE)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer
import numpy as np

from hafjax.metrics.base import Metric
from hafjax.metrics.checks import check_batch
from hafjax.metrics.errors import MetricError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike

NUM_BINS = 15


def calibration_bins(
  probs: Float[ArrayLike, 'b k'], num_bins: int, xp=jnp
) -> tuple[Float[AnyArray, 'b'], Integer[AnyArray, 'b']]:
  """Confidence of each prediction, and its bin.

  Args:
    probs: of the classes, [B, K].
    num_bins: equal intervals of confidence, (0, 1/n], (1/n, 2/n], ...
    xp: `jax.numpy` or `numpy`.
  """
  confidence = probs.max(axis=1)
  bins = xp.ceil(confidence * num_bins).astype(int) - 1
  return confidence, xp.clip(bins, 0, num_bins - 1)


def calibration_sums(
  probs: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  weight: Float[ArrayLike, 'b'],
  num_bins: int = NUM_BINS,
) -> dict[str, Array]:
  """Count, confidence and hits in bins of confidence, [bins] each."""
  confidence, bins = calibration_bins(probs, num_bins)
  is_right = probs.argmax(axis=1) == labels

  def total(values):
    return jnp.zeros(num_bins, weight.dtype).at[bins].add(weight * values)

  return dict(
    count=total(1.0), confidence=total(confidence), hits=total(is_right)
  )


def calibration_metrics(
  sums: dict[str, np.ndarray], count: float
) -> dict[str, float]:
  """'ece' and 'mce' from sums over a split."""
  gap = np.abs(sums['hits'] - sums['confidence'])
  return dict(
    ece=float(gap.sum() / count),
    mce=float(np.max(gap / np.maximum(sums['count'], 1))),
  )


def calibration_error(
  probs: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  num_bins: int = NUM_BINS,
) -> tuple[float, float]:
  """Expected and maximal calibration error, (ece, mce).

  Args:
    probs: of the classes, [B, K].
    labels: class indices, int[B].
    num_bins: equal intervals of confidence, closed above.

  Returns:
    Over bins, the mean (by examples) and the maximum of the gap between
    accuracy and mean confidence: Guo et al., ICML 2017 (arXiv 1706.04599).

  Raises:
    MetricError: if there are no examples, shapes do not fit, a probability is
      NaN or infinite, or a label is no class.
  """
  # On the host, in float64: a sum over all examples outgrows float32.
  probs = arrays.as_numpy(probs, np.float64)
  labels = arrays.as_numpy(labels)
  check_batch(probs, labels, probs.shape[-1], 'probs')
  checks.check_scores(probs, MetricError, 'probs')
  confidence, bins = calibration_bins(probs, num_bins, np)
  is_right = probs.argmax(axis=1) == labels
  count, confidence, hits = (
    np.bincount(bins, values, num_bins)
    for values in (np.ones(len(probs)), confidence, is_right)
  )
  sums = dict(count=count, confidence=confidence, hits=hits)
  metrics = calibration_metrics(sums, len(probs))
  return metrics['ece'], metrics['mce']


METRIC = Metric(
  sums=lambda batch, tables, weight: calibration_sums(
    batch.probs, batch.labels, weight
  ),
  finalize=lambda sums, count, tables, frame: calibration_metrics(sums, count),
  direction={'ece': -1, 'mce': -1},
)
