# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether confidence is earned."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer
import numpy as np

from hafjax.metrics.ranking import checked_batch
from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike

NUM_BINS = 15


def calibration_sums(
  probs: Float[Array, 'b k'],
  labels: Int[Array, 'b'],
  weight: Float[Array, 'b'],
  num_bins: int = NUM_BINS,
) -> dict[str, Array]:
  """Count, confidence and hits in bins of confidence, [bins] each."""
  confidence = probs.max(axis=1)
  right = probs.argmax(axis=1) == labels
  # (0, 1/n], (1/n, 2/n], ...
  bins = jnp.ceil(confidence * num_bins).astype(int) - 1
  bins = jnp.clip(bins, 0, num_bins - 1)

  def total(values):
    return jnp.zeros(num_bins, weight.dtype).at[bins].add(weight * values)

  return dict(count=total(1.0), confidence=total(confidence), hits=total(right))


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
    MetricError: if shapes do not fit, there are no examples, probabilities are
      NaN or infinite, or a label is no class.
  """
  # On the host, in float64: a sum over all examples outgrows float32.
  probs, labels = arrays.as_numpy(probs, np.float64), arrays.as_numpy(labels)
  checked_batch(probs, labels, probs.shape[-1], name='probs')
  confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
  bins = np.ceil(confidence * num_bins).astype(int) - 1
  bins = np.clip(bins, 0, num_bins - 1)
  count, confidence, hits = (
    np.bincount(bins, values, num_bins)
    for values in (np.ones(len(probs)), confidence, right)
  )
  sums = dict(count=count, confidence=confidence, hits=hits)
  found = calibration_metrics(sums, len(probs))
  return found['ece'], found['mce']
