# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where the published prediction is higher than doing nothing."""

import math
from typing import NamedTuple

from absl import logging
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import ufm
from hafjax.report import plots


def published_ratio(depth, size, total, decay) -> float:
  """rho of a class by the published rule: the largest root, whatever its value.

  Of b / n (1 + x^M)^2 = M x^(M-1), b = M N (N Lambda)^(1/M), rho = x^M /
  (1 + x^M); clipped at 0 as in the published code for imbalanced classes, and
  nan where it raises, for there is no real root.
  """
  product = total * decay ** (depth + 1)
  ratio = depth * total / size * product ** (1 / depth)
  polynomial = np.zeros(2 * depth + 1)
  polynomial[[0, depth, -1]] = ratio, 2 * ratio, ratio
  polynomial[depth + 1] -= depth
  roots = np.roots(polynomial)
  real = roots.real[np.abs(roots.imag) < 1e-6]
  if not len(real):
    return math.nan
  x = max(real.max(), 0.0)
  return float(x**depth / (1 + x**depth))


def gain(ratio, depth) -> float:
  """Objective of a stationary mode over zero's."""
  return (1 - ratio) * (1 + depth * ratio)


class RootSearch(NamedTuple):
  """One class size at one depth, for S decays; objectives over zero's, [S].

  Attributes:
    depth: M.
    threshold: the decay from which on zero is lowest.
    decays: [S].
    published_ratio: rho by the published rule.
    published: its objective.
    exact: of the closed form.
    found: of the best start.
    stayed: where a descent from an active minimum below the threshold ended.
  """

  depth: int
  threshold: float
  decays: np.ndarray
  published_ratio: np.ndarray
  published: np.ndarray
  exact: np.ndarray
  found: np.ndarray
  stayed: np.ndarray


def search_roots(
  depth, decays, class_counts=(5, 5, 5, 5), width=16, starts=20
) -> RootSearch:
  """Balanced classes, so that all modes are equal."""
  threshold = common.collapse_decays(class_counts, depth, width)[0]
  active = ufm.minimum(
    **common.settings_of(class_counts, depth, width, 0.99 * threshold)
  )
  settings = common.table_of(class_counts, depth, width, decays)
  found = ufm.optimise(**settings, starts=starts)
  stayed = ufm.optimise(
    **settings, start=(active.weights, active.features, None)
  )
  exact, ratios = [], []
  for decay in decays:
    alone = common.settings_of(class_counts, depth, width, decay)
    exact.append(ufm.minimum(**alone).objective)
    ratios.append(
      published_ratio(depth, class_counts[0], sum(class_counts), decay)
    )
  zero = found.zero_objective
  return RootSearch(
    depth,
    threshold,
    decays,
    np.array(ratios),
    gain(np.array(ratios), depth),
    exact / zero,
    found.objective / zero,
    stayed.objective / zero,
  )


def part() -> common.Part:
  searches = []
  # The decays of the two examples that theory gives, among others.
  for depth, example in ((2, 0.063), (3, 0.05)):
    logging.info('Depth %d.', depth)
    decays = example * np.linspace(0.8, 1.35, 12)
    searches.append(search_roots(depth, decays))
  return common.Part(
    'Squared error, four classes of 5 samples, widths of 16: objectives over '
    "that of doing nothing. Published: the released code's rule, re-written "
    'from its formula; exact: `ufm.minimum`; search: L-BFGS, the best of 20 '
    'starts and zero; from active: one descent that begins at the minimum just '
    'below the threshold, where all classes are active.',
    'depth,decay,decay / threshold,published rho,published,exact,search,'
    'from active',
    [row for search in searches for row in root_rows(search)],
    {'': root_figure(searches)},
  )


def root_rows(search: RootSearch) -> list[list[str]]:
  return [
    [
      str(search.depth),
      f'{decay:.4f}',
      f'{decay / search.threshold:.3f}',
      *('raises' if math.isnan(x) else f'{x:.4f}' for x in values),
    ]
    for decay, *values in zip(*search[2:], strict=True)
  ]


def root_figure(searches) -> figure_lib.Figure:
  figure, [axes] = common.grid(1, len(searches), width=4, height=3)
  for axis, search in zip(axes, searches, strict=True):
    looks = plots.styles(['exact', 'published'])
    places = search.decays / search.threshold
    lines = dict(
      published=(search.published, 'published rule'),
      exact=(search.exact, 'global minimum, closed form'),
    )
    for key, (values, label) in lines.items():
      axis.plot(places, values, color=looks[key].colour, label=label)
    axis.plot(
      places, search.found, 'ko', ms=4, mfc='none', label='lowest of 20 starts'
    )
    axis.plot(
      places, search.stayed, 'kx', ms=4, label='descent from active classes'
    )
    axis.set(xlabel='decay / threshold of collapse', ylim=(0.7, 1.4))
    axis.set_title(f'depth {search.depth}', fontsize=9)
  axes[0].set_ylabel('objective / that of zero')
  figure.suptitle(
    'Past the threshold the published root is a local minimum, worse than zero',
    fontsize=10,
  )
  common.legend(figure, axes[0])
  return figure
