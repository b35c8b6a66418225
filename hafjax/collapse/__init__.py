# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How far features and classifier have collapsed, and onto what.

>>> import numpy as np
>>> from hafjax import collapse, frames
>>> frame = frames.simplex_etf(3)
>>> stats = collapse.ClassStatistics.create(3, 3)
>>> stats = stats.update(2 * frame[[0, 1, 2, 0]], np.array([0, 1, 2, 0]))
>>> round(float(collapse.nc2(stats.means, frames.etf_similarity(3))), 3)
0.0
"""

from hafjax.collapse.measures import bias_relation
from hafjax.collapse.measures import class_distances
from hafjax.collapse.measures import frame_deviation
from hafjax.collapse.measures import length_gap
from hafjax.collapse.measures import nc1
from hafjax.collapse.measures import nc2
from hafjax.collapse.measures import nc3
from hafjax.collapse.measures import nc4
from hafjax.collapse.measures import outlier_deviation
from hafjax.collapse.measures import pair_kernel
from hafjax.collapse.measures import self_duality
from hafjax.collapse.measures import uniform_duality
from hafjax.collapse.prediction import Prediction
from hafjax.collapse.statistics import ClassStatistics
from hafjax.collapse.summary import MEASURES
from hafjax.collapse.summary import Measure
from hafjax.collapse.summary import summary

__all__ = [
  'MEASURES',
  'Measure',
  'ClassStatistics',
  'Prediction',
  'bias_relation',
  'class_distances',
  'frame_deviation',
  'length_gap',
  'nc1',
  'nc2',
  'nc3',
  'nc4',
  'outlier_deviation',
  'pair_kernel',
  'self_duality',
  'summary',
  'uniform_duality',
]
