# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Mean loss of the method that was trained."""

from hafjax.metrics.base import Metric

METRIC = Metric(
  sums=lambda batch, tables, weight: weight @ batch.losses,
  finalize=lambda sums, count, tables, frame: {'loss': float(sums / count)},
  # Losses of two methods do not compare.
  direction={'loss': 0},
  applies=lambda batch: batch.losses is not None,
)
