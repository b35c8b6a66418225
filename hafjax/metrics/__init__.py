# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical metrics, as sums over batches: exact for any split and batch.

`metric_sums` runs jitted on a batch, its results are added over batches and
devices, and `finalize` divides once at the end, so that a partial last batch or
padding changes nothing. A metric is a module here, see `base.Metric`.
"""

from hafjax.metrics.base import Metric
from hafjax.metrics.base import Scored
from hafjax.metrics.calibration import calibration_error
from hafjax.metrics.errors import MetricError
from hafjax.metrics.hops import hops
from hafjax.metrics.levels import full_path_accuracy
from hafjax.metrics.levels import level_predictions
from hafjax.metrics.ranking import Ranking
from hafjax.metrics.ranking import hierarchical_metrics
from hafjax.metrics.ranking import hierarchical_sums
from hafjax.metrics.ranking import ranking_metrics
from hafjax.metrics.summary import KS
from hafjax.metrics.summary import NAMES
from hafjax.metrics.summary import MetricTables
from hafjax.metrics.summary import direction
from hafjax.metrics.summary import evaluate
from hafjax.metrics.summary import finalize
from hafjax.metrics.summary import metric_sums
from hafjax.metrics.summary import num_ranks

__all__ = [
  'KS',
  'Metric',
  'MetricError',
  'MetricTables',
  'NAMES',
  'Ranking',
  'Scored',
  'calibration_error',
  'direction',
  'evaluate',
  'finalize',
  'full_path_accuracy',
  'hierarchical_metrics',
  'hierarchical_sums',
  'hops',
  'level_predictions',
  'metric_sums',
  'num_ranks',
  'ranking_metrics',
]
