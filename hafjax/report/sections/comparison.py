# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Comparison of methods, and differences seed by seed."""

import math

from absl import logging
import numpy as np

from hafjax.metrics import direction
from hafjax.report import context as context_lib
from hafjax.report import markup
from hafjax.report import plots
from hafjax.report.context import Context
from hafjax.runs import tables

TITLE = 'Comparison'
ORDER = 10


def content(context: Context) -> str:
  """Means and intervals, and paired tests against the baseline."""
  results = [
    dict(run.results, variant=run.name)
    for group in context.methods.values()
    for run in group
  ]
  groups = {}
  for row, result, found in tables.rows(results, context.split):
    if 'top1' in found:
      groups.setdefault(row, {})[result['seed']] = found
  values = {row: list(seeds.values()) for row, seeds in groups.items()}
  main = tables.shared(values, tables.COLUMNS)
  numbers = [
    metric
    for metric, value in next(iter(values.values()))[0].items()
    if metric not in tables.COLUMNS and isinstance(value, int | float)
  ]
  # Inference rules have fewer metrics: rows of methods' own.
  own = {row: seeds for row, seeds in groups.items() if row in context.methods}
  others = tables.shared(
    {row: list(seeds.values()) for row, seeds in own.items()}, numbers
  )
  parts = [
    context_lib.note(
      f'Metrics of the {context.split} split, of the checkpoint that is best '
      'by validation top-1: mean over seeds ± half of the 95 % interval '
      "(Student's t; without one where there is one seed). The best mean of a "
      'column is bold.'
    ),
    _means(context, groups, main),
    _GLOSSARY,
  ]
  if others:
    parts.append(
      markup.details(
        f'More metrics ({len(others)})', _means(context, own, others)
      )
    )
  parts += _curves(results, context)
  parts += ['<h3>Differences to the baseline</h3>\n']
  parts += [_differences(context, groups, main)]
  return ''.join(parts)


def _curves(results, context) -> list[str]:
  """Tables and pictures of the inference rules that have a curve."""
  parts = []
  for (x, y), groups in tables.curves_of(results, context.split).items():
    logging.info('Drawing %s by %s.', y, x)
    header, rows = tables.curve_cells(groups)
    lines = {row: _mean_line(pairs, x, y) for row, pairs in groups.items()}
    looks = plots.styles(list(lines))
    curve, _ = next(iter(groups.values()))[0]
    caption = (
      f'Means over seeds; along a line, {markup.text(curve.parameter)} varies.'
    )
    figure = plots.line_picture(lines, looks, x, y)
    axes = f'{markup.text(y)} by {markup.text(x)}'
    parts.append(
      markup.details(
        f'Inference rules: {axes}',
        context_lib.note(
          f'The area under the curve of {axes}, and both at some values of '
          f'{markup.text(curve.parameter)}, after the @.',
          markup.text(curve.note),
        )
        + markup.table(
          [markup.text(cell) for cell in header],
          [[markup.text(cell) for cell in row] for row in rows],
        )
        + markup.legend(looks)
        + context.gallery.picture(f'rules_{y}_by_{x}', figure, caption, looks),
      )
    )
  return parts


def _mean_line(pairs, x, y) -> tuple[np.ndarray, np.ndarray]:
  """Means over runs of a curve's x and y; of those as long as the first."""
  points = [
    np.array([curve.columns[x], curve.columns[y]], np.float64)
    for curve, _ in pairs
  ]
  return tuple(
    np.mean([p for p in points if p.shape == points[0].shape], axis=0)
  )


_GLOSSARY = """<dl class="glossary">
<dt>top-k %</dt><dd>images whose class is among the k best-ranked; more is
better</dd>
<dt>severity</dt><dd>mean height of the lowest common ancestor of true and
predicted class, over the mistakes: 1 is a sibling; less is better</dd>
<dt>dist@k</dt><dd>mean of that height over the k best-ranked classes of all
images; less is better</dd></dl>
"""


def _column(metric) -> tuple[str, float, int]:
  return tables.COLUMNS.get(metric, (metric, 1, 3))


def _means(context, groups, metrics) -> str:
  header = ['method', 'runs']
  header += [markup.text(_column(metric)[0]) for metric in metrics]
  rows = []
  best = {metric: _best(groups, metric) for metric in metrics}
  for row, seeds in groups.items():
    cells = [context_lib.labelled(context, row), str(len(seeds))]
    for metric in metrics:
      found = [values[metric] for values in seeds.values()]
      cell = tables.cell(found, *_column(metric)[1:])
      is_best = _rounded(found, metric) == best[metric]
      cells.append(f'<strong>{cell}</strong>' if is_best else cell)
    rows.append(cells)
  return markup.table(header, rows)


def _rounded(values, metric) -> float:
  """The mean as it is shown, so that what looks the same is as good."""
  _, scale, decimals = _column(metric)
  return round(scale * float(np.mean(values)), decimals)


def _best(groups, metric) -> float | None:
  """The best of the rows' means, None where there is no better."""
  means = [
    _rounded([values[metric] for values in seeds.values()], metric)
    for seeds in groups.values()
  ]
  means = [mean for mean in means if not math.isnan(mean)]
  sign = direction(metric)
  if not sign or len(groups) < 2 or not means:
    return None
  return sign * max(sign * mean for mean in means)


def _differences(context, groups, metrics) -> str:
  """Each row minus the baseline over common seeds."""
  names = [
    name
    for name, group in context.methods.items()
    if context.baseline in (name, group[0].variant)
  ]
  if len(names) != 1:
    what = f'Several methods are {markup.text(context.baseline)}'
    if not names:
      what = f'No run is of the baseline {markup.text(context.baseline)}'
    logging.warning('There is no one baseline %r.', context.baseline)
    known = ', '.join(context.methods)
    return context_lib.note(
      f'{what}: choose it by {markup.code("--baseline=")}, one of '
      f'{markup.text(known)}.'
    )
  (baseline,) = names
  header = ['method', 'common seeds']
  header += [markup.text(_column(metric)[0]) for metric in metrics]
  rows = [
    [
      context_lib.labelled(context, row),
      *_difference_cells(seeds, groups[baseline], metrics),
    ]
    for row, seeds in groups.items()
    if row != baseline
  ]
  if not rows:
    return context_lib.note('There is no other method.')
  return context_lib.note(
    f'Row minus {markup.text(baseline)}, over the seeds that both have: mean, '
    'its 95 % interval, and p of a paired t-test. Where p is below 0.05 the '
    'cell says which way: of tests where nothing differs, one in twenty would '
    f'say so too, and of the {len(rows) * len(metrics)} cells here none is '
    'corrected for their number.'
  ) + markup.table(header, rows)


def _difference_cells(seeds, others, metrics) -> list[str]:
  common = sorted(seeds.keys() & others.keys())
  if len(common) < 2:
    return [f'{len(common)}, too few for a test'] + [''] * len(metrics)
  cells = [str(len(common))]
  for metric in metrics:
    _, scale, decimals = _column(metric)
    mean, half, p = tables.paired_difference(
      *(
        [scale * group[seed][metric] for seed in common]
        for group in (seeds, others)
      )
    )
    ends = [
      context_lib.signed(mean + side * half, decimals) for side in (-1, 1)
    ]
    verdict = ''
    if p < 0.05:
      good = mean * direction(metric) > 0
      verdict = f' <b class="{"good" if good else "bad"}">' + (
        'better</b>' if good else 'worse</b>'
      )
    chance = 'no test' if math.isnan(p) else _chance(p)
    cell = (
      f'{context_lib.signed(mean, decimals)}{verdict}<br>'
      f'<small>{ends[0]} to {ends[1]}<br>'
      f'{chance}</small>'
    )
    cells.append(cell)
  return cells


def _chance(p: float) -> str:
  return 'p &lt; 0.001' if p < 0.001 else f'p = {p:.3f}'
