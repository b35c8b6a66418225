# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets: splits in memory or in files, batched by seed and step.

`hafjax/data/sets` has a file for each data set; the other modules are what they
are made of.
"""

from hafjax.data.dataset import DataSet
from hafjax.data.dataset import load_dataset
from hafjax.data.dataset import open_dataset
from hafjax.data.errors import DataError
from hafjax.data.feed import DeviceFeed
from hafjax.data.specs import Spec
from hafjax.data.specs import names
from hafjax.data.specs import spec
from hafjax.data.splits import Arrays
from hafjax.data.splits import Split

__all__ = [
  'Arrays',
  'DataError',
  'DataSet',
  'DeviceFeed',
  'Spec',
  'Split',
  'load_dataset',
  'names',
  'open_dataset',
  'spec',
]
