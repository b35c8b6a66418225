# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets as specs, in memory or in files, batched by seed and step."""

from hafjax.data.dataset import DataSet
from hafjax.data.dataset import load_dataset
from hafjax.data.dataset import open_dataset
from hafjax.data.specs import SPECS
from hafjax.data.specs import Spec
from hafjax.data.splits import Arrays
from hafjax.data.splits import DataError

__all__ = [
  'Arrays',
  'DataError',
  'DataSet',
  'SPECS',
  'Spec',
  'load_dataset',
  'open_dataset',
]
