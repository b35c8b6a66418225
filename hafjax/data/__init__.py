# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets: read, listed or decoded; batched by seed and step."""

from hafjax.data.dataset import DataSet
from hafjax.data.dataset import load_dataset
from hafjax.data.dataset import names
from hafjax.data.dataset import open_dataset
from hafjax.data.dataset import spec
from hafjax.data.spec import Spec
from hafjax.data.splits import Arrays
from hafjax.data.splits import DataError
from hafjax.data.splits import Split

__all__ = [
  'Arrays',
  'DataError',
  'DataSet',
  'Spec',
  'Split',
  'load_dataset',
  'names',
  'open_dataset',
  'spec',
]
