# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical metrics, as sums over batches: exact for any split and batch.

One file a metric, found by its name: a module here offers `METRIC`, a class
that fits `Metric`. `MetricTables.select` makes metrics, `sums` runs jitted on a
batch (`Scored`), its results are added over batches and devices, and `finalize`
divides once at the end, so that a partial last batch or padding changes
nothing. `evaluate` does all of it for scores on the host.
"""

from hafjax.metrics.base import KS
from hafjax.metrics.base import Metric
from hafjax.metrics.base import MetricTables
from hafjax.metrics.base import Scored
from hafjax.metrics.base import direction
from hafjax.metrics.base import finalize
from hafjax.metrics.base import metric_names
from hafjax.metrics.base import sums
from hafjax.metrics.calibration import calibration_error
from hafjax.metrics.hops import hops
from hafjax.metrics.levels import full_path_accuracy
from hafjax.metrics.levels import level_predictions
from hafjax.metrics.ranking import hierarchical_metrics
from hafjax.metrics.summary import evaluate

__all__ = [
  'KS',
  'Metric',
  'MetricTables',
  'Scored',
  'calibration_error',
  'direction',
  'evaluate',
  'finalize',
  'full_path_accuracy',
  'hierarchical_metrics',
  'hops',
  'level_predictions',
  'metric_names',
  'sums',
]
