# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Singular values as the decay grows, class after class to zero."""

from typing import NamedTuple

from absl import logging
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import ufm
from hafjax.report import plots

_SWEPT = (20, 10, 6, 4)


class Sweep(NamedTuple):
  """Singular values of the logits by class, largest first, for S decays.

  Attributes:
    depth: M.
    decays: [S].
    predicted, found: [S, K].
    thresholds: decays from which on a class is zero, [K].
    reached: whether the best start's objective is the closed form's, [S].
  """

  depth: int
  decays: np.ndarray
  predicted: np.ndarray
  found: np.ndarray
  thresholds: np.ndarray
  reached: np.ndarray


def sweep_decay(
  depth, class_counts=_SWEPT, num_decays=24, width=16, starts=20
) -> Sweep:
  """From half the smallest class's threshold to beyond the largest's."""
  thresholds = common.collapse_decays(class_counts, depth, width)
  decays = np.linspace(thresholds.min() / 2, thresholds.max() * 1.2, num_decays)
  found = ufm.optimise(
    **common.table_of(class_counts, depth, width, decays), starts=starts
  )
  exact = [
    ufm.minimum(**common.settings_of(class_counts, depth, width, decay))
    for decay in decays
  ]
  return Sweep(
    depth,
    decays,
    np.array([minimum.singular_values for minimum in exact]),
    common.logit_values(found, len(class_counts)),
    thresholds,
    common.reached(found.objective, np.array([e.objective for e in exact])),
  )


def part() -> common.Part:
  sweeps = []
  for depth in (1, 2, 3):
    logging.info('Depth %d.', depth)
    sweeps.append(sweep_decay(depth))
  return common.Part(
    'Squared error without bias, classes of '
    f'{common.numbers(_SWEPT, 0)} samples, widths of 16, one decay for '
    'all layers and the features; 24 decays, L-BFGS: the best of 20 '
    'starts and zero. Alive until, zero from: neighbouring decays of the sweep '
    'between which the search saw the class vanish. Error: the largest '
    'of its singular value.',
    'depth,class of,predicted threshold,alive until,zero from,error,'
    'decays at the minimum',
    [row for sweep in sweeps for row in sweep_rows(sweep)],
    {'': sweep_figure(sweeps)},
  )


def sweep_rows(sweep: Sweep) -> list[list[str]]:
  rows = []
  error = np.abs(sweep.found - sweep.predicted).max(axis=0)
  for number, size in enumerate(_SWEPT):
    alive = sweep.found[:, number] > 1e-3
    rows.append(
      [
        str(sweep.depth),
        str(size),
        f'{sweep.thresholds[number]:.5f}',
        f'{sweep.decays[alive].max():.5f}',
        f'{sweep.decays[~alive].min():.5f}',
        f'{error[number]:.0e}',
        f'{sweep.reached.sum()} of {len(sweep.reached)}',
      ]
    )
  return rows


def sweep_figure(sweeps) -> figure_lib.Figure:
  figure, [axes] = common.grid(1, len(sweeps), width=3.4, height=3)
  for axis, sweep in zip(axes, sweeps, strict=True):
    fine = np.linspace(sweep.decays[0], sweep.decays[-1], 300)
    exact = [
      ufm.minimum(
        **common.settings_of(_SWEPT, sweep.depth, len(_SWEPT), decay)
      ).singular_values
      for decay in fine
    ]
    looks = plots.styles(list(map(str, _SWEPT)))
    for number, (size, look) in enumerate(looks.items()):
      colour = look.colour
      line = np.transpose(exact)[number]
      axis.plot(fine, line, color=colour, lw=1, label=f'class of {size}')
      axis.plot(sweep.decays, sweep.found[:, number], 'o', ms=3, color=colour)
      axis.axvline(sweep.thresholds[number], color=colour, ls=':', lw=1)
    axis.set(xlabel='decay of every layer')
    axis.set_title(f'depth {sweep.depth}', fontsize=9)
  axes[0].set_ylabel('singular values of the logits')
  figure.suptitle(
    'Small classes vanish first, and from depth 2 on at once\n'
    'lines: closed form, dotted: predicted thresholds, dots: search',
    fontsize=10,
  )
  common.legend(figure, axes[0])
  return figure
