# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Layers that are narrower than there are classes."""

from typing import NamedTuple

from absl import logging
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import ufm
from hafjax.report import plots

_NARROW = (40, 20, 10, 10)


class Width(NamedTuple):
  """Singular values of the logits at one width of all layers, [K] each."""

  width: int
  exact: ufm.Minimum
  found: ufm.SearchResult

  @property
  def predicted(self) -> np.ndarray:
    return np.sort(self.exact.singular_values)[::-1]

  @property
  def values(self) -> np.ndarray:
    return common.logit_values(self.found, len(self.exact.singular_values))


def search_width(
  width, class_counts=_NARROW, decay=5e-3, depth=3, starts=20
) -> Width:
  """The closed form, and what a search has found."""
  settings = common.settings_of(class_counts, depth, width, decay)
  found = ufm.optimise(**settings, starts=starts)
  return Width(width, ufm.minimum(**settings), found)


def part() -> common.Part:
  searches = []
  for width in (64, 16, 4, 3, 2, 1):
    logging.info('Width %d.', width)
    searches.append(search_width(width))
  return common.Part(
    'Squared error at depth 3, classes of '
    f'{common.numbers(_NARROW, 0)} samples, all decays 5e-3, L-BFGS: '
    'the best of 20 starts. Layers that are narrower than there are '
    'classes keep the largest of them.',
    'width,objective,search above,starts there,singular values,found',
    [width_row(search) for search in searches],
    {'': width_figure(searches)},
  )


def width_row(search: Width) -> list[str]:
  width, exact, found = search
  there = common.reached(found.objectives, exact.objective)
  return [
    str(width),
    f'{exact.objective:.6f}',
    f'{found.objective - exact.objective:.0e}',
    f'{there.sum()} of {len(there)}',
    common.numbers(search.predicted),
    common.numbers(search.values),
  ]


def width_figure(searches) -> figure_lib.Figure:
  figure, [[axis]] = common.grid(1, 1, width=5, height=3)
  places = np.arange(len(searches))
  predicted = np.array([search.predicted for search in searches])
  values = np.array([search.values for search in searches])
  for number, look in enumerate(plots.styles('abcd').values()):
    label = f'class of {_NARROW[number]}'
    # Equal classes share a line: the last to be drawn is the thinnest.
    line = dict(color=look.colour, lw=4 - number, where='mid', label=label)
    axis.step(places, predicted[:, number], **line)
    axis.plot(places, values[:, number], 'o', ms=4, color=look.colour)
  axis.set_xticks(places, [str(search.width) for search in searches])
  axis.set_xlabel('width of all layers')
  axis.set_title(
    'Narrow layers keep the largest classes\n'
    'singular values of the logits; line: predicted, dots: search',
    fontsize=9,
  )
  common.legend(figure, axis)
  return figure
