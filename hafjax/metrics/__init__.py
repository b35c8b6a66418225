# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical metrics, as sums over batches: exact for any split and batch.

`hierarchical_sums` and `evaluation_sums` run jitted on a batch, their results
are added over batches and devices, and `finalise` divides once at the end, so
that a partial last batch or padding changes nothing.
"""

from hafjax.metrics.calibration import calibration_error
from hafjax.metrics.errors import MetricError
from hafjax.metrics.hops import hops
from hafjax.metrics.levels import full_path_accuracy
from hafjax.metrics.levels import level_predictions
from hafjax.metrics.ranking import Ranking
from hafjax.metrics.ranking import hierarchical_metrics
from hafjax.metrics.ranking import hierarchical_sums
from hafjax.metrics.summary import KS
from hafjax.metrics.summary import MetricTables
from hafjax.metrics.summary import evaluate
from hafjax.metrics.summary import evaluation_sums
from hafjax.metrics.summary import finalise

__all__ = [
  'KS',
  'MetricError',
  'MetricTables',
  'Ranking',
  'calibration_error',
  'evaluate',
  'evaluation_sums',
  'finalise',
  'full_path_accuracy',
  'hierarchical_metrics',
  'hierarchical_sums',
  'hops',
  'level_predictions',
]
