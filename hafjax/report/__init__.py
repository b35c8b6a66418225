# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What runs have found: tables, and a page with pictures.

    python -m hafjax.report WORKDIR...

The page needs matplotlib; tables, which training prints, do not.
"""

from hafjax.report.tables import COLUMNS
from hafjax.report.tables import markdown_table
from hafjax.report.tables import mean_and_interval
from hafjax.report.tables import paired_difference
from hafjax.report.tables import results_table
from hafjax.report.tables import selective_table

__all__ = [
  'COLUMNS',
  'markdown_table',
  'mean_and_interval',
  'paired_difference',
  'results_table',
  'selective_table',
]
