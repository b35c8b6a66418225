# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Calibration error (ECE, MCE)."""

from collections.abc import Mapping
import types
from typing import ClassVar

import flax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from hafjax.metrics import base

NUM_BINS = 15


def bin_sums(
  probs: Float[Array, 'b k'],
  labels: Int[Array, 'b'],
  weight: Float[Array, 'b'],
  num_bins: int = NUM_BINS,
  xp: types.ModuleType = jnp,
) -> dict[str, Float[Array, 'n']]:
  """Sums of examples, confidence and right predictions by confidence.

  Args:
    probs: of the classes, [B, K].
    labels: class indices, int[B].
    weight: of the examples, [B].
    num_bins: n equal intervals (0, 1/n], (1/n, 2/n], ... of confidence.
    xp: `numpy`, or `jax.numpy`.

  Returns:
    'count', 'confidence' and 'hits', [n] each.
  """
  confidence = probs.max(axis=1)
  right = probs.argmax(axis=1) == labels
  bins = xp.ceil(confidence * num_bins).astype(int) - 1
  inside = xp.clip(bins, 0, num_bins - 1)[:, None] == xp.arange(num_bins)

  def total(values):
    return xp.sum(inside * (weight * values)[:, None], axis=0)

  return dict(count=total(1.0), confidence=total(confidence), hits=total(right))


def _errors(sums: dict[str, np.ndarray]) -> tuple[float, float]:
  """(ece, mce) of the sums over a split."""
  count = sums['count'].sum()
  base.check_count(count)
  gap = np.abs(sums['hits'] - sums['confidence'])
  return (
    float(gap.sum() / count),
    float(np.max(gap / np.maximum(sums['count'], 1))),
  )


@flax.struct.dataclass
class Calibration:
  """'ece' and 'mce', see `calibration_error`."""

  direction: ClassVar[Mapping[str, int]] = {'ece': -1, 'mce': -1}
  num_ranked: ClassVar[int] = 0

  @classmethod
  def create(cls, tables: base.MetricTables) -> 'Calibration':
    del tables
    return cls()

  def sums(self, batch: base.Scored, weight) -> dict:
    """See `base.Metric`."""
    return bin_sums(batch.probs, batch.labels, weight)

  def finalize(self, sums: dict) -> dict[str, float]:
    """See `base.Metric`."""
    return dict(zip(('ece', 'mce'), _errors(sums), strict=True))


METRIC = Calibration


def calibration_error(
  probs: Float[Array, 'b k'], labels: Int[Array, 'b'], num_bins: int = NUM_BINS
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
    ValueError: if there are no examples.
  """
  base.check_count(len(labels))
  # On the host, in float64: a sum over all examples outgrows float32.
  probs, labels = np.asarray(probs, np.float64), np.asarray(labels)
  return _errors(bin_sums(probs, labels, np.ones(len(probs)), num_bins, np))
