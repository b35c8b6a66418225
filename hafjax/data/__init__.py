# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets as specs, in memory or in files, batched by seed and step."""

from hafjax.data.pipeline import DataSet
from hafjax.data.pipeline import listed
from hafjax.data.pipeline import load
from hafjax.data.sources import Arrays
from hafjax.data.sources import DataError
from hafjax.data.specs import SPECS
from hafjax.data.specs import Spec

__all__ = [
  'Arrays',
  'DataError',
  'DataSet',
  'SPECS',
  'Spec',
  'listed',
  'load',
]
