# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The sections of the report, each from files to HTML."""

from hafjax.report.sections.context import Context
from hafjax.report.sections.curves import collapse
from hafjax.report.sections.curves import curve
from hafjax.report.sections.curves import training
from hafjax.report.sections.in_tree import heights
from hafjax.report.sections.in_tree import tree
from hafjax.report.sections.overview import facts
from hafjax.report.sections.pairs import confusions
from hafjax.report.sections.similarity import similarities
from hafjax.report.sections.table import comparison
from hafjax.report.sections.tiles import severe

__all__ = [
  'Context',
  'collapse',
  'comparison',
  'confusions',
  'curve',
  'facts',
  'heights',
  'severe',
  'similarities',
  'training',
  'tree',
]
