# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results as tables: one row a method, mean and 95% interval over seeds."""

from collections.abc import Sequence
import math

import numpy as np
import scipy.stats

# What a table shows, in its order: metric -> (heading, scale, decimals).
# Only metrics that every row has become columns.
COLUMNS = {
  'top1': ('top-1 %', 100, 2),
  'top5': ('top-5 %', 100, 2),
  'mistake_severity': ('severity', 1, 3),
  'hier_dist@1': ('dist@1', 1, 3),
  'hier_dist@5': ('dist@5', 1, 3),
  'hier_dist@20': ('dist@20', 1, 3),
}


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
  """Mean, and half the width of its 95% confidence interval.

  Student's t distribution with n - 1 degrees of freedom; the half width is NaN
  for a single value, of which nothing can be said.
  """
  values = np.asarray(values, np.float64)
  if len(values) < 2:
    return float(values.mean()), math.nan
  quantile = scipy.stats.t.ppf(0.975, len(values) - 1)
  return float(values.mean()), float(
    quantile * values.std(ddof=1) / math.sqrt(len(values))
  )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """A Markdown table, padded so that it also reads well as plain text."""
  widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

  def line(cells):
    cells = [
      cell.ljust(width) if i == 0 else cell.rjust(width)
      for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f'| {" | ".join(cells)} |'

  rule = ['-' * widths[0]] + ['-' * (width - 1) + ':' for width in widths[1:]]
  return '\n'.join([line(header), line(rule), *map(line, rows)])


def results_table(results: Sequence[dict], split: str = 'test') -> str:
  """A table of runs, those of one variant gathered into a row.

  Args:
    results: contents of `results.json` files.
    split: 'test' or 'val'.
  """
  groups = {}
  for result in results:
    groups.setdefault(result['variant'], []).append(result)
  metrics = [
    metric for metric in COLUMNS if all(metric in r[split] for r in results)
  ]
  rows = []
  for variant, group in groups.items():
    cells = []
    for metric in metrics:
      _, scale, decimals = COLUMNS[metric]
      mean, half = mean_and_interval([scale * r[split][metric] for r in group])
      cell = f'{mean:.{decimals}f}'
      if not math.isnan(half):
        cell += f' ± {half:.{decimals}f}'
      cells.append(cell)
    rows.append([variant, str(len(group)), *cells])
  return markdown_table(
    ['method', 'runs', *(COLUMNS[metric][0] for metric in metrics)], rows
  )
