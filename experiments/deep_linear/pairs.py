# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy from depth 2 on: antipodal pairs against the simplex ETF."""

import math
from typing import NamedTuple

from absl import logging
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import ufm
from hafjax.report import plots
from hafjax.ufm import cross_entropy


class PairSearch(NamedTuple):
  """Cross-entropy at one number of classes, for S decays.

  Attributes:
    num_classes, depth: K and M.
    decays: of every layer and of the features, with one sample a class, [S].
    etf: objectives of the best simplex ETF, or zero, [S].
    pairs: of 1 to K / 2 antipodal pairs, the best, [S].
    found: objective of the best start, [S].
    starts: where all of them ended, [S, starts].
  """

  num_classes: int
  depth: int
  decays: np.ndarray
  etf: np.ndarray
  pairs: np.ndarray
  found: np.ndarray
  starts: np.ndarray


def search_pairs(num_classes, depth, decays, starts=30) -> PairSearch:
  """The lowest cross-entropy, beside those of the two shapes."""
  etf, *pairs = cross_entropy.candidates(num_classes)

  def best(pattern):
    # With one sample a class, kappa is the decay itself.
    return [
      cross_entropy.best_scale(pattern, math.log(decay), depth)[1]
      for decay in decays
    ]

  found = ufm.optimise(
    **common.table_of((1,) * num_classes, depth, num_classes, decays),
    loss='ce',
    starts=starts,
  )
  return PairSearch(
    num_classes,
    depth,
    decays,
    np.array(best(etf)),
    np.min([best(pattern) for pattern in pairs], axis=0),
    found.objective,
    found.objectives,
  )


def part() -> common.Part:
  searches = []
  for num_classes, depth, low, high in (
    (4, 2, 0.004, 0.13),
    (4, 3, 0.004, 0.11),
    (6, 2, 0.001, 0.1),
  ):
    logging.info('%d classes at depth %d.', num_classes, depth)
    decays = np.geomspace(low, high, 8)
    searches.append(search_pairs(num_classes, depth, decays))
  return common.Part(
    'Cross-entropy without bias, one sample a class (what counts is kappa = '
    '(n Lambda)^(1 / (M + 1)), here the decay of every layer and of the '
    'features), L-BFGS: 30 starts for every decay. ETF: the best simplex ETF; '
    'pairs: the best of 1 to K / 2 antipodal pairs of classes.',
    'classes,depth,decay,ETF,pairs,lowest found,starts there,starts at the ETF',
    [row for search in searches for row in pair_rows(search)],
    {'': pair_figure(searches)},
  )


def pair_rows(search: PairSearch) -> list[list[str]]:
  return [
    [
      str(search.num_classes),
      str(search.depth),
      f'{decay:.4f}',
      f'{etf:.6f}',
      f'{pairs:.6f}',
      f'{lowest:.6f}',
      f'{common.reached(starts, lowest).sum()} of {len(starts)}',
      f'{np.isclose(starts, etf, rtol=common.REACHED).sum()}',
    ]
    for decay, etf, pairs, lowest, starts in zip(*search[2:], strict=True)
  ]


def pair_figure(searches) -> figure_lib.Figure:
  figure, [axes] = common.grid(1, len(searches), width=3.4, height=3)
  for axis, search in zip(axes, searches, strict=True):
    looks = plots.styles(['etf', 'pairs'])
    axis.axhline(1, color=looks['etf'].colour, label='simplex ETF')
    axis.plot(
      search.decays,
      search.pairs / search.etf,
      color=looks['pairs'].colour,
      label='antipodal pairs',
    )
    ends = search.starts / search.etf[:, None]
    spots = np.repeat(search.decays, ends.shape[1])
    axis.plot(
      spots, ends.ravel(), '.', ms=4, color='0.6', label='where starts ended'
    )
    axis.plot(
      search.decays,
      search.found / search.etf,
      'o',
      ms=5,
      mfc='none',
      color='black',
      label='lowest found',
    )
    axis.set(xscale='log', ylim=(0.85, 1.05), xlabel='decay of every layer')
    axis.set_title(
      f'{search.num_classes} classes, depth {search.depth}', fontsize=9
    )
  axes[0].set_ylabel("objective / ETF's")
  figure.suptitle(
    'Cross-entropy below linear layers: the simplex ETF is often not the '
    'minimum',
    fontsize=10,
  )
  common.legend(figure, axes[0])
  return figure
