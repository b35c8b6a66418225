# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cosines between features and their fixed class vectors."""

from hafjax import collapse
from hafjax.metrics.base import Metric

METRIC = Metric(
  sums=lambda batch, tables, weight: collapse.alignment_sums(
    batch.features, batch.labels, batch.frame, weight > 0
  ),
  finalize=lambda sums, count, tables, frame: collapse.alignment(sums, frame),
  direction={'feature_cosine': 1, 'class_mean_cosine': 1},
  applies=lambda batch: batch.frame is not None,
)
