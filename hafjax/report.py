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


def _rows(results: Sequence[dict], split: str):
  """Yields (row, metrics): a run's own, and those of each of its rules."""
  for result in results:
    yield result['variant'], result[split]
    for rule, found in result.get('rules', {}).items():
      yield f'{result["variant"]} + {rule}', found[split]


def results_table(results: Sequence[dict], split: str = 'test') -> str:
  """A table of runs, those of one variant gathered into a row.

  Args:
    results: contents of `results.json` files. Inference rules have rows of
      their own.
    split: 'test' or 'val'.
  """
  groups = {}
  for row, found in _rows(results, split):
    if 'top1' in found:
      groups.setdefault(row, []).append(found)
  return _table(groups, COLUMNS)


def selective_table(results: Sequence[dict], split: str = 'test') -> str:
  """A table of the rule 'selective', '' where no run was asked for it.

  Columns: the area under the curve of risk against coverage, and both at three
  thresholds of confidence; see `decisions.selective_curve`.
  """
  groups = {}
  for row, found in _rows(results, split):
    if 'threshold' not in found:
      continue
    cells = {'area': found['area']}
    for threshold in (0.5, 0.9, 0.99):
      i = int(np.argmin(np.abs(np.subtract(found['threshold'], threshold))))
      cells[f'coverage@{threshold}'] = found['coverage'][i]
      cells[f'risk@{threshold}'] = found['risk'][i]
    groups.setdefault(row, []).append(cells)
  if not groups:
    return ''
  names = next(iter(groups.values()))[0]
  return _table(groups, {name: (name, 1, 3) for name in names})


def _table(groups: dict[str, list[dict]], columns: dict) -> str:
  """A row a group, with the columns that all have."""
  metrics = [
    metric
    for metric in columns
    if all(metric in found for group in groups.values() for found in group)
  ]
  rows = []
  for row, group in groups.items():
    cells = []
    for metric in metrics:
      _, scale, decimals = columns[metric]
      mean, half = mean_and_interval([scale * found[metric] for found in group])
      cell = f'{mean:.{decimals}f}'
      if not math.isnan(half):
        cell += f' ± {half:.{decimals}f}'
      cells.append(cell)
    rows.append([row, str(len(group)), *cells])
  return markdown_table(
    ['method', 'runs', *(columns[metric][0] for metric in metrics)], rows
  )
