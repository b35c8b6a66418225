# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results as tables: one row a method, mean and 95% interval over seeds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
import math

import numpy as np
import scipy.stats

from hafjax.runs.curves import Curve
from hafjax.runs.curves import is_number
from hafjax.runs.curves import read_curve

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


def paired_difference(
  values: Sequence[float], others: Sequence[float]
) -> tuple[float, float, float]:
  """Mean difference of pairs, half its 95% interval, and Student's paired test.

  Args:
    values: of one method, one a seed.
    others: of another method, of the same seeds.

  Returns:
    The mean of values - others; half the width of its interval, see
    `mean_and_interval`; and the two-sided p of no difference: NaN for a single
    pair, and where all differences are zero.

  Raises:
    ValueError: if there are no pairs, or one has no partner.
  """
  if len(values) != len(others) or not len(values):
    raise ValueError(
      f'Pairs need as many values on both sides, and one at least; got '
      f'{len(values)} and {len(others)}.'
    )
  differences = np.subtract(values, others, dtype=np.float64)
  mean, half = mean_and_interval(differences)
  if len(differences) < 2 or not differences.any():
    return mean, half, math.nan
  # Where all are the same the statistic is infinite, and p is zero.
  with np.errstate(divide='ignore'):
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    statistic = np.abs(np.divide(mean, error))
  return (
    mean,
    half,
    float(2 * scipy.stats.t.sf(statistic, len(differences) - 1)),
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


def rows(
  results: Iterable[dict], split: str = 'test'
) -> Iterable[tuple[str, dict, dict]]:
  """Yields (row, result, metrics): a run's own, and those of each rule."""
  for result in results:
    yield result['variant'], result, result[split]
    for rule, splits in result.get('rules', {}).items():
      yield f'{result["variant"]} + {rule}', result, splits[split]


def shared(
  groups: Mapping[str, Collection[dict]], metrics: Iterable[str]
) -> list[str]:
  """Those of the metrics that all results of all rows have."""
  return [
    metric
    for metric in metrics
    if all(metric in found for group in groups.values() for found in group)
  ]


def cell(values: Sequence[float], scale: float, decimals: int) -> str:
  """'mean ± half width', scaled; the mean alone of a single value."""
  mean, half = mean_and_interval(scale * np.asarray(values, np.float64))
  text = f'{mean:.{decimals}f}'
  return text if math.isnan(half) else f'{text} ± {half:.{decimals}f}'


def results_table(results: Sequence[dict], split: str = 'test') -> str:
  """A table of runs, those of one variant gathered into a row.

  Args:
    results: contents of `results.json` files. Inference rules have rows of
      their own.
    split: 'test' or 'val'.
  """
  groups = {}
  for row, _, figures in rows(results, split):
    if 'top1' in figures:
      groups.setdefault(row, []).append(figures)
  return markdown_table(*_cells(groups, COLUMNS))


def curve_table(results: Sequence[dict], split: str = 'test') -> str:
  """Tables of the rules with a curve, '' where no run has one.

  Columns: the area under the curve, and what is drawn at some values of its
  parameter.
  """
  return '\n\n'.join(
    markdown_table(*curve_cells(groups))
    for groups in curves_of(results, split).values()
  )


def curves_of(
  results: Iterable[dict], split: str = 'test'
) -> dict[tuple[str, str], dict[str, list[tuple[Curve, dict]]]]:
  """(x, y) -> row -> curves of these axes, with the figures beside them."""
  found = {}
  for row, _, figures in rows(results, split):
    curve = read_curve(figures)
    if curve is not None:
      groups = found.setdefault((curve.x, curve.y), {})
      groups.setdefault(row, []).append((curve, figures))
  return found


def curve_cells(
  groups: Mapping[str, Sequence[tuple[Curve, dict]]],
) -> tuple[list[str], list[list[str]]]:
  """Header and rows of a table of curves, those of a row gathered."""

  def numbers(curve, figures):
    values = {'area': curve.area}
    # Metrics have their row in the table of results.
    if 'top1' not in figures:
      values |= {n: v for n, v in figures.items() if is_number(v)}
    return values | curve.at_marks()

  found = {
    row: [numbers(*pair) for pair in pairs] for row, pairs in groups.items()
  }
  first = next(iter(found.values()))[0]
  return _cells(found, {name: (name, 1, 3) for name in first})


def _cells(
  groups: dict[str, list[dict]], columns: dict
) -> tuple[list[str], list[list[str]]]:
  """Header, and a row a group, with the columns that all have."""
  metrics = shared(groups, columns)
  header = ['method', 'runs', *(columns[metric][0] for metric in metrics)]
  return header, [
    [
      row,
      str(len(group)),
      *(
        cell([found[metric] for found in group], *columns[metric][1:])
        for metric in metrics
      ),
    ]
    for row, group in groups.items()
  ]
