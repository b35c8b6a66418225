# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures of collapse at every layer, on the way to the minimum."""

from typing import NamedTuple

from absl import logging
import jax.numpy as jnp
import matplotlib
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import ufm


class Descent(NamedTuple):
  """A descent that was watched, and where it should end."""

  exact: ufm.Minimum
  found: ufm.SearchResult
  steps: np.ndarray


def watched_descent(
  class_counts, depth, width=16, decay=5e-4, starts=3, steps=2000
) -> Descent:
  """L-BFGS with measures of collapse, on the best of the starts."""
  settings = common.settings_of(class_counts, depth, width, decay)
  exact = ufm.minimum(**settings)
  by_layer = ufm.collapse_by_layer(exact, class_counts)
  sizes = np.asarray(class_counts)
  averages = np.repeat(np.diag(1 / sizes), sizes, axis=0)

  def measure(point):
    _, features, _ = point
    lengths = jnp.linalg.norm(features @ averages, axis=0)
    return by_layer(point) | dict(lengths=lengths)

  at = np.unique(np.geomspace(1, steps, 60).astype(int))
  found = ufm.optimise(
    **settings,
    starts=starts,
    steps=steps,
    measure=measure,
    measure_at=at,
  )
  return Descent(exact, found, at)


def part() -> common.Part:
  descents = {}
  for case, counts in common.CASES.items():
    for depth in common.DEPTHS:
      logging.info('Classes %s, depth %d.', counts, depth)
      descents[case, depth] = watched_descent(counts, depth)
  return common.Part(
    'Squared error without bias, widths of 16, all decays 5e-4, L-BFGS: the '
    'best of 3 starts. Objective: the closed form, and how far above it the '
    'search ended. NC1 to NC3 at the end, the largest of all layers, against '
    'the predicted geometry (an orthogonal frame of the given lengths). '
    'Lengths: of class means of the features.',
    'classes,depth,objective,search above,starts there,NC1,NC2 means,'
    'NC2 rows,NC3,lengths,lengths found',
    [descent_row(*key, found) for key, found in descents.items()],
    {
      case: descent_figure(case, {d: descents[case, d] for d in common.DEPTHS})
      for case in common.CASES
    },
  )


def descent_row(case, depth, descent: Descent) -> list[str]:
  exact, found, _ = descent
  there = common.reached(found.objectives, exact.objective)
  last = {key: values[-1] for key, values in found.measures.items()}
  keys = ('nc1', 'nc2_means', 'nc2_classifier', 'nc3')
  return [
    case,
    str(depth),
    f'{exact.objective:.6f}',
    f'{found.objective - exact.objective:.0e}',
    f'{there.sum()} of {len(there)}',
    *(f'{last[key].max():.0e}' for key in keys),
    common.numbers(np.sqrt(np.diag(exact.class_mean_gram))),
    common.numbers(last['lengths']),
  ]


_TITLES = {
  'nc1': 'NC1: spread within classes',
  'nc2_means': 'NC2: class means from their frame',
  'nc3': 'NC3: classifier with class means',
  'lengths': 'lengths of class means',
}


def descent_figure(case, descents: dict[int, Descent]) -> figure_lib.Figure:
  """A row a measure, a column a depth, a line a layer."""
  figure, axes = common.grid(len(_TITLES), len(descents), height=1.9)
  for column, (depth, descent) in zip(axes.T, descents.items(), strict=True):
    for axis, (key, title) in zip(column, _TITLES.items(), strict=True):
      values = descent.found.measures[key]
      draw_measure(axis, descent, key, values)
      axis.set_title(f'{title}, depth {depth}', fontsize=8)
    column[-1].set_xlabel('steps of L-BFGS')
  figure.suptitle(
    f'On the way to the minimum, {case} classes of '
    f'{common.sizes_of(case)} samples\n'
    'lines: layers, from the features (dark) to the last (light); dashed: '
    'predicted',
    fontsize=10,
  )
  return figure


def draw_measure(axis, descent: Descent, key, values):
  """Layers in shades, or classes with the lengths that are predicted."""
  shades = matplotlib.colormaps['viridis'](
    np.linspace(0, 0.85, values.shape[1])
  )
  if key == 'lengths':
    shades = ['black'] * values.shape[1]
    for length in np.sqrt(np.diag(descent.exact.class_mean_gram)):
      axis.axhline(length, color='#d55e00', ls='--', lw=1)
  else:
    axis.set_ylim(max(1e-17, np.nanmin(values) / 3), np.nanmax(values) * 3)
  for line, shade in zip(values.T, shades, strict=True):
    axis.plot(descent.steps, line, color=shade, lw=1)
  axis.set(xscale='log', yscale='log')
