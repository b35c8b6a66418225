# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchies from the annotations of data sets.

    python -m hafjax.hierarchy build inaturalist19 categories.json tree.csv

Every builder takes what its data set publishes, and gives the classes in the
order of its labels.
"""

from hafjax.hierarchy.builders.aircraft import from_fgvc_aircraft
from hafjax.hierarchy.builders.columns import from_columns
from hafjax.hierarchy.builders.columns import from_table
from hafjax.hierarchy.builders.inaturalist import RANKS
from hafjax.hierarchy.builders.inaturalist import from_inaturalist19
from hafjax.hierarchy.builders.inaturalist import from_inaturalist21
from hafjax.hierarchy.builders.sources import read_names
from hafjax.hierarchy.builders.wordnet import from_wordnet

__all__ = [
  'RANKS',
  'from_columns',
  'from_fgvc_aircraft',
  'from_inaturalist19',
  'from_inaturalist21',
  'from_table',
  'from_wordnet',
  'read_names',
]
