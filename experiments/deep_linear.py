# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Collapse under deep linear layers: the theory of hafjax.ufm, and searches.

    python -m experiments.deep_linear [--parts=layers,decay]

Each part writes a table into deep_linear.md and pictures deep_linear_*.png, in
experiments/results unless --output says otherwise; parts that are not asked for
keep theirs.

  layers: measures of collapse at every layer on the way to the minimum, at
    depths 1 to 9, balanced and imbalanced (the synthetic figures of Dang et
    al., ICML 2023, arXiv 2301.00437)
  widths: layers that are narrower than there are classes
  pairs: cross-entropy from depth 2 on, where pairs of antipodal classes are
    often lower than the simplex ETF
  root: where the published prediction is higher than doing nothing
  decay: singular values as the decay grows, class after class to zero
  frames: which losses draw features onto the rows of a fixed frame
  speed: 100 settings x 8 starts in one call, and in a loop
"""

import argparse
from collections.abc import Callable, Sequence
import functools
import math
import os
import pathlib
import re
import time
from typing import NamedTuple

from absl import logging
from absl.flags import argparse_flags
import jax
import jax.numpy as jnp
from jaxtyping import Float
import matplotlib
from matplotlib import figure as figure_lib
import numpy as np

from hafjax import collapse
from hafjax import command
from hafjax import frames
from hafjax import hierarchy as hierarchy_lib
from hafjax import report
from hafjax import ufm
from hafjax.report import pictures
from hafjax.ufm import cross_entropy

# The class sizes of the published synthetic experiments.
CASES = {'balanced': (100,) * 4, 'imbalanced': (200, 100, 50, 50)}
DEPTHS = (1, 3, 6, 9)

# Of pictures in a README.
_DPI = 85

# A start has reached a value if it ended this near to it.
_REACHED = 1e-6


class DeepLinearError(ValueError):
  """A part that does not exist."""


class Part(NamedTuple):
  """What a part has found.

  Attributes:
    text: what was run, and what the columns are.
    header: of the table's columns, by commas.
    rows: of the table.
    figures: pictures, by the end of their file's name ('' for the only one).
  """

  text: str
  header: str
  rows: list[list[str]]
  figures: dict[str, figure_lib.Figure]


def reached(objectives, value) -> np.ndarray:
  """Which of the objectives are this value, up to what is left to descend."""
  return np.asarray(objectives) < value + _REACHED * (1 + np.abs(value))


def outputs(found: ufm.Found) -> Float[np.ndarray, '*s d n']:
  """What the last layer gives."""
  return functools.reduce(lambda x, w: w @ x, found.weights, found.features)


def settings_of(class_counts, depth, width, decay) -> dict:
  """One width, and one decay of all layers and of the features."""
  return dict(
    class_counts=class_counts,
    dims=(width,) * depth,
    weight_decays=(decay,) * depth,
    feature_decay=decay,
  )


def table_of(class_counts, depth, width, decays) -> dict:
  """`settings_of` many decays, for one call of `ufm.optimise`."""
  return settings_of(class_counts, depth, width, 0.0) | dict(
    weight_decays=np.repeat(decays[:, None], depth, axis=1),
    feature_decay=decays,
  )


def collapse_decays(class_counts, depth, width) -> np.ndarray:
  """The decay of all layers from which on each class is zero, [K]."""
  exact = ufm.minimum(**settings_of(class_counts, depth, width, 1.0))
  return exact.collapse_at ** (1 / (depth + 1))


def numbers(values, digits=3) -> str:
  return ', '.join(f'{value:.{digits}f}' for value in values)


def grid(rows, columns, width=3.1, height=2.5) -> tuple:
  """A figure, and its axes [rows, columns]."""
  figure = figure_lib.Figure(
    figsize=(width * columns, height * rows), layout='constrained'
  )
  axes = figure.subplots(rows, columns, squeeze=False)
  for axis in axes.flat:
    axis.spines[['top', 'right']].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.xaxis.label.set_fontsize(9)
    axis.yaxis.label.set_fontsize(9)
  return figure, axes


def legend(figure, axis, columns=4):
  """One for all axes, below them."""
  handles, labels = axis.get_legend_handles_labels()
  figure.legend(
    handles,
    labels,
    loc='outside lower center',
    ncols=min(len(labels), columns),
    frameon=False,
    fontsize=8,
  )


# --- Measures by layer -------------------------------------------------------


class Descent(NamedTuple):
  """A descent that was watched, and where it should end."""

  exact: ufm.Minimum
  found: ufm.Found
  steps: np.ndarray


def watched_descent(
  class_counts, depth, width=16, decay=5e-4, starts=3, steps=2000
) -> Descent:
  """L-BFGS with measures of collapse, on the best of the starts."""
  settings = settings_of(class_counts, depth, width, decay)
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


def layers_part() -> Part:
  descents = {}
  for case, counts in CASES.items():
    for depth in DEPTHS:
      logging.info('Classes %s, depth %d.', counts, depth)
      descents[case, depth] = watched_descent(counts, depth)
  return Part(
    'Squared error without bias, widths of 16, all decays 5e-4, L-BFGS: the '
    'best of 3 starts. Objective: the closed form, and how far above it the '
    'search ended. NC1 to NC3 at the end, the largest of all layers, against '
    'the predicted geometry (an orthogonal frame of the given lengths). '
    'Lengths: of class means of the features.',
    'classes,depth,objective,search above,starts there,NC1,NC2 means,'
    'NC2 rows,NC3,lengths,lengths found',
    [descent_row(*key, found) for key, found in descents.items()],
    {
      case: descent_figure(case, {d: descents[case, d] for d in DEPTHS})
      for case in CASES
    },
  )


def descent_row(case, depth, descent: Descent) -> list[str]:
  exact, found, _ = descent
  there = reached(found.objectives, exact.objective)
  last = {key: values[-1] for key, values in found.measures.items()}
  keys = ('nc1', 'nc2_means', 'nc2_classifier', 'nc3')
  return [
    case,
    str(depth),
    f'{exact.objective:.6f}',
    f'{found.objective - exact.objective:.0e}',
    f'{there.sum()} of {len(there)}',
    *(f'{last[key].max():.0e}' for key in keys),
    numbers(np.sqrt(np.diag(exact.class_mean_gram))),
    numbers(last['lengths']),
  ]


_TITLES = {
  'nc1': 'NC1: spread within classes',
  'nc2_means': 'NC2: class means from their frame',
  'nc3': 'NC3: classifier from class means',
  'lengths': 'lengths of class means',
}


def descent_figure(case, descents: dict[int, Descent]) -> figure_lib.Figure:
  """A row a measure, a column a depth, a line a layer."""
  figure, axes = grid(len(_TITLES), len(descents), height=1.9)
  for column, (depth, descent) in zip(axes.T, descents.items(), strict=True):
    for axis, (key, title) in zip(column, _TITLES.items(), strict=True):
      values = descent.found.measures[key]
      draw_measure(axis, descent, key, values)
      axis.set_title(f'{title}, depth {depth}', fontsize=8)
    column[-1].set_xlabel('steps of L-BFGS')
  figure.suptitle(
    f'On the way to the minimum, {case} classes of {sizes_of(case)} samples\n'
    'lines: layers, from the features (dark) to the last (light); dashed: '
    'predicted',
    fontsize=10,
  )
  return figure


def sizes_of(case) -> str:
  return ', '.join(map(str, CASES[case]))


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


# --- Narrow layers -----------------------------------------------------------

_NARROW = (40, 20, 10, 10)


class Width(NamedTuple):
  """Singular values of the logits at one width of all layers, [K] each."""

  width: int
  exact: ufm.Minimum
  found: ufm.Found

  @property
  def predicted(self) -> np.ndarray:
    return np.sort(self.exact.singular_values)[::-1]

  @property
  def values(self) -> np.ndarray:
    return logit_values(self.found, len(self.exact.singular_values))


def search_width(
  width, class_counts=_NARROW, decay=5e-3, depth=3, starts=20
) -> Width:
  """The closed form, and what a search has found."""
  settings = settings_of(class_counts, depth, width, decay)
  found = ufm.optimise(**settings, starts=starts)
  return Width(width, ufm.minimum(**settings), found)


def logit_values(found: ufm.Found, count) -> np.ndarray:
  """Singular values of the logits, as many as there are classes."""
  return np.linalg.svd(outputs(found), compute_uv=False)[..., :count]


def widths_part() -> Part:
  searches = []
  for width in (64, 16, 4, 3, 2, 1):
    logging.info('Width %d.', width)
    searches.append(search_width(width))
  return Part(
    f'Squared error at depth 3, classes of {numbers(_NARROW, 0)} samples, all '
    'decays 5e-3, L-BFGS: the best of 20 starts. Layers that are narrower than '
    'there are classes keep the largest of them.',
    'width,objective,search above,starts there,singular values,found',
    [width_row(search) for search in searches],
    {'': width_figure(searches)},
  )


def width_row(search: Width) -> list[str]:
  width, exact, found = search
  there = reached(found.objectives, exact.objective)
  return [
    str(width),
    f'{exact.objective:.6f}',
    f'{found.objective - exact.objective:.0e}',
    f'{there.sum()} of {len(there)}',
    numbers(search.predicted),
    numbers(search.values),
  ]


def width_figure(searches) -> figure_lib.Figure:
  figure, [[axis]] = grid(1, 1, width=5, height=3)
  places = np.arange(len(searches))
  predicted = np.array([search.predicted for search in searches])
  values = np.array([search.values for search in searches])
  for number, look in enumerate(pictures.styles('abcd').values()):
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
  legend(figure, axis)
  return figure


# --- Cross-entropy: pairs against the ETF ------------------------------------


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
    **table_of((1,) * num_classes, depth, num_classes, decays),
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


def pairs_part() -> Part:
  searches = []
  for num_classes, depth, low, high in (
    (4, 2, 0.004, 0.13),
    (4, 3, 0.004, 0.11),
    (6, 2, 0.001, 0.1),
  ):
    logging.info('%d classes at depth %d.', num_classes, depth)
    decays = np.geomspace(low, high, 8)
    searches.append(search_pairs(num_classes, depth, decays))
  return Part(
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
      f'{reached(starts, lowest).sum()} of {len(starts)}',
      f'{np.isclose(starts, etf, rtol=_REACHED).sum()}',
    ]
    for decay, etf, pairs, lowest, starts in zip(*search[2:], strict=True)
  ]


def pair_figure(searches) -> figure_lib.Figure:
  figure, [axes] = grid(1, len(searches), width=3.4, height=3)
  for axis, search in zip(axes, searches, strict=True):
    looks = pictures.styles(['etf', 'pairs'])
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
  legend(figure, axes[0])
  return figure


# --- The published root ------------------------------------------------------


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
  threshold = collapse_decays(class_counts, depth, width)[0]
  active = ufm.minimum(
    **settings_of(class_counts, depth, width, 0.99 * threshold)
  )
  settings = table_of(class_counts, depth, width, decays)
  found = ufm.optimise(**settings, starts=starts)
  stayed = ufm.optimise(
    **settings, start=(active.weights, active.features, None)
  )
  exact, ratios = [], []
  for decay in decays:
    alone = settings_of(class_counts, depth, width, decay)
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


def root_part() -> Part:
  searches = []
  # The decays of the two examples that theory gives, among others.
  for depth, example in ((2, 0.063), (3, 0.05)):
    logging.info('Depth %d.', depth)
    decays = example * np.linspace(0.8, 1.35, 12)
    searches.append(search_roots(depth, decays))
  return Part(
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
  figure, [axes] = grid(1, len(searches), width=4, height=3)
  for axis, search in zip(axes, searches, strict=True):
    looks = pictures.styles(['exact', 'published'])
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
  legend(figure, axes[0])
  return figure


# --- Singular values against decay -------------------------------------------

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
  thresholds = collapse_decays(class_counts, depth, width)
  decays = np.linspace(thresholds.min() / 2, thresholds.max() * 1.2, num_decays)
  found = ufm.optimise(
    **table_of(class_counts, depth, width, decays), starts=starts
  )
  exact = [
    ufm.minimum(**settings_of(class_counts, depth, width, decay))
    for decay in decays
  ]
  return Sweep(
    depth,
    decays,
    np.array([minimum.singular_values for minimum in exact]),
    logit_values(found, len(class_counts)),
    thresholds,
    reached(found.objective, np.array([e.objective for e in exact])),
  )


def decay_part() -> Part:
  sweeps = []
  for depth in (1, 2, 3):
    logging.info('Depth %d.', depth)
    sweeps.append(sweep_decay(depth))
  return Part(
    f'Squared error without bias, classes of {numbers(_SWEPT, 0)} samples, '
    'widths of 16, one decay for all layers and the features; 24 decays, '
    'L-BFGS: the best of 20 starts and zero. Alive until, zero from: '
    'neighbouring decays of the sweep between which the search saw the class '
    'vanish. Error: the largest of its singular value.',
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
  figure, [axes] = grid(1, len(sweeps), width=3.4, height=3)
  for axis, sweep in zip(axes, sweeps, strict=True):
    fine = np.linspace(sweep.decays[0], sweep.decays[-1], 300)
    exact = [
      ufm.minimum(
        **settings_of(_SWEPT, sweep.depth, len(_SWEPT), decay)
      ).singular_values
      for decay in fine
    ]
    looks = pictures.styles(list(map(str, _SWEPT)))
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
  legend(figure, axes[0])
  return figure


# --- Fixed frames ------------------------------------------------------------

# The classes of Fashion-MNIST, and two ways to share 100 samples among them.
_TREE = 'fashion_mnist'
_FRAME_CASES = {
  'balanced': (10,) * 10,
  'imbalanced': (30, 22, 16, 11, 8, 5, 3, 2, 2, 1),
}
_FRAME_DECAY = 1e-4
_FRAME_LOSSES = {
  'cross-entropy': ('ce', {}),
  'CE + cosine': ('haframe', dict(alpha=0.4)),
  'dot regression': ('dot_regression', dict(lengths=1.0)),
}


class FrameResult(NamedTuple):
  """How features lie under a fixed frame.

  Attributes:
    cosine: of class means to their rows, the mean over classes.
    least_cosine: of the worst class.
    deviation: of angles between class means from those of the frame.
    nc1: spread within classes.
    right: the share of classes whose mean is told right.
    rank: of the class means.
    spread: highest less lowest objective of the starts.
  """

  cosine: float
  least_cosine: float
  deviation: float
  nc1: float
  right: float
  rank: int
  spread: float


def frame_result(
  frame, loss, class_counts, depth, decay=_FRAME_DECAY, starts=8, **options
) -> FrameResult:
  """Below `depth` linear layers and a fixed frame; options of the search."""
  width = frame.shape[1]
  found = ufm.optimise(
    class_counts,
    (width,) * (depth + 1),
    (decay,) * depth,
    decay,
    loss=loss,
    starts=starts,
    **options,
  )
  labels = np.repeat(np.arange(len(frame)), class_counts)
  with jax.enable_x64(True):
    stats = collapse.ClassStatistics.of(outputs(found).T, labels, len(frame))
    deviation, _ = collapse.frame_deviation(stats.means, frame)
    nc1 = collapse.nc1(stats)
  means = np.asarray(stats.means)
  cosines = np.sum(means * frame, axis=1) / np.linalg.norm(means, axis=1)
  chosen = np.argmax(means @ frame.T, axis=1)
  return FrameResult(
    float(cosines.mean()),
    float(cosines.min()),
    float(deviation),
    float(nc1),
    float(np.mean(chosen == np.arange(len(frame)))),
    int(np.linalg.matrix_rank(means, tol=1e-3 * np.linalg.norm(means, 2))),
    float(np.ptp(found.objectives)),
  )


def frames_part() -> Part:
  tree = hierarchy_lib.load_hierarchy(_TREE)
  classifiers = {
    'simplex ETF': frames.simplex_etf(tree.num_classes),
    'HAFrame': frames.haframe(tree, gamma=2.0),
  }
  results = {}
  for name, frame in classifiers.items():
    for loss, (kind, options) in _FRAME_LOSSES.items():
      function = ufm.fixed_classifier(frame, kind, **options)
      for depth in (0, 1, 2):
        logging.info('%s, %s, %d layers before it.', name, loss, depth)
        for case, counts in _FRAME_CASES.items():
          results[name, loss, depth, case] = frame_result(
            frame, function, counts, depth
          )
  return Part(
    'Free features, 0 to 2 linear layers, and a classifier fixed to a frame '
    f"of the 10 classes of {_TREE}'s tree (HAFrame: gamma 2); all decays "
    f'{_FRAME_DECAY:g}, L-BFGS, the best of 8 starts. CE + cosine: alpha 0.4; '
    'dot regression: lengths 1. Balanced: 10 samples a class; imbalanced: '
    f'{numbers(_FRAME_CASES["imbalanced"], 0)}. Cosine: of class means, as '
    'the frame sees them, to their rows, mean and least; deviation: of their '
    "angles from the frame's; right: classes whose mean scores highest on its "
    'own row; spread: highest less lowest objective of the starts.',
    'frame,loss,layers,classes,cosine,least,deviation,NC1,right,rank,spread',
    [frame_row(*key, result) for key, result in results.items()],
    {'': frame_figure(results)},
  )


def frame_row(frame, loss, depth, case, result: FrameResult) -> list[str]:
  return [
    frame,
    loss,
    str(depth),
    case,
    f'{result.cosine:.4f}',
    f'{result.least_cosine:.4f}',
    f'{result.deviation:.4f}',
    f'{result.nc1:.0e}',
    f'{100 * result.right:.0f} %',
    str(result.rank),
    f'{result.spread:.0e}',
  ]


def frame_figure(results) -> figure_lib.Figure:
  """A panel a frame: cosines by the number of layers."""
  names = list(dict.fromkeys(key[0] for key in results))
  looks = pictures.styles(list(_FRAME_LOSSES))
  figure, [axes] = grid(1, len(names), width=4, height=3.6)
  for axis, name in zip(axes, names, strict=True):
    for loss, look in looks.items():
      for case, marker in (('balanced', 'o-'), ('imbalanced', 's--')):
        cosines = [results[name, loss, m, case].cosine for m in (0, 1, 2)]
        axis.plot(
          range(3),
          cosines,
          marker,
          color=look.colour,
          mfc='white' if case == 'imbalanced' else None,
          label=f'{loss}, {case}',
        )
    axis.set_title(f'classifier: {name}', fontsize=9)
    axis.set(ylim=(0, 1.05), xlabel='linear layers before the classifier')
    axis.set_xticks(range(3))
  axes[0].set_ylabel('cosine of class means to their rows')
  figure.suptitle('Which losses draw features onto a fixed frame', fontsize=10)
  legend(figure, axes[0], columns=2)
  return figure


# --- Many settings at once ---------------------------------------------------

_MANY = dict(class_counts=(4, 3, 2, 1), dims=(5, 5))


class Speed(NamedTuple):
  """Seconds of R starts of each of S settings.

  Attributes:
    first: in one call, compilation included.
    together: in one call, as the others without it.
    by_setting: a call a setting.
    by_start: a call a start, extrapolated from a sample of the settings.
    hits: which starts reached the closed form, bool[S, R].
  """

  first: float
  together: float
  by_setting: float
  by_start: float
  hits: np.ndarray


def time_searches(
  method, num_settings=100, starts=8, sample=10, **options
) -> Speed:
  """Random decays, log-uniform from 0.001 to 0.04, one each for all layers."""
  rng = np.random.default_rng(0)
  depth = len(_MANY['dims'])
  decays = 10 ** rng.uniform(-3, -1.4, (num_settings, depth + 1))
  exact = np.array(
    [ufm.minimum(**_MANY, **decay_arguments(row)).objective for row in decays]
  )

  def search(rows, starts, seed=0):
    return ufm.optimise(
      **_MANY,
      **decay_arguments(rows),
      starts=starts,
      seed=seed,
      method=method,
      **options,
    )

  def all_together():
    return search(decays, starts)

  def by_setting():
    for number in range(num_settings):
      search(decays[number : number + 1], starts)

  def by_start():
    for number in range(sample):
      for seed in range(starts):
        search(decays[number : number + 1], 1, seed)

  first, _ = seconds(all_together)
  again, found = seconds(all_together)
  # Of the loops, the programs alone are compiled before.
  search(decays[:1], starts)
  search(decays[:1], 1)
  return Speed(
    first,
    again,
    seconds(by_setting)[0],
    seconds(by_start)[0] * num_settings / sample,
    reached(found.objectives, exact[:, None]),
  )


def decay_arguments(decays) -> dict:
  """Of rows, or one row, of decays: the last is that of the features."""
  return dict(weight_decays=decays[..., :-1], feature_decay=decays[..., -1])


def seconds(function) -> tuple:
  """Wall time of a call, and what it gave."""
  start = time.perf_counter()
  found = function()
  return time.perf_counter() - start, found


def speed_part() -> Part:
  kinds = {
    'L-BFGS, until converged': dict(method='lbfgs'),
    'gradient descent, 5,000 steps': dict(method='gd', steps=5000),
  }
  speeds = {}
  for name, options in kinds.items():
    logging.info('%s.', name)
    speeds[name] = time_searches(**options)
  return Part(
    'Squared error at depth 2, classes of 4, 3, 2 and 1 samples, widths of 5; '
    '100 settings of decays x 8 starts in one vmapped call, a call of 8 starts '
    'for each of the 100 settings, and a call for each of the 800 starts '
    '(extrapolated from the first 10 settings). Every call compares zero too. '
    'Seconds, of the first call with compilation, of the others without. '
    'Reached: the settings whose best start is at the closed form, to 1e-6.',
    'method,first call,one call,100 calls,800 calls,100 / one,800 / one,'
    'reached',
    [speed_row(name, speed) for name, speed in speeds.items()],
    {'': speed_figure(speeds)},
  )


def speed_row(name, speed: Speed) -> list[str]:
  return [
    name,
    f'{speed.first:.1f} s',
    f'{speed.together:.1f} s',
    f'{speed.by_setting:.1f} s',
    f'{speed.by_start:.1f} s',
    f'{speed.by_setting / speed.together:.1f}',
    f'{speed.by_start / speed.together:.1f}',
    f'{speed.hits.any(axis=1).sum()} of {len(speed.hits)}',
  ]


def speed_figure(speeds) -> figure_lib.Figure:
  figure, [[times, hits]] = grid(1, 2, width=4, height=2.8)
  looks = pictures.styles(list(speeds))
  for number, (name, speed) in enumerate(speeds.items()):
    colour = looks[name].colour
    bars = speed.together, speed.by_setting, speed.by_start
    places = np.arange(3) + 0.4 * number
    times.bar(places, bars, 0.36, color=colour, label=name)
    best = np.maximum.accumulate(speed.hits, axis=1).mean(axis=0)
    hits.plot(np.arange(len(best)) + 1, 100 * best, 'o-', color=colour)
  times.set_xticks(
    np.arange(3) + 0.2, ['one call', '100 calls', '800 calls'], fontsize=8
  )
  times.set_title('seconds for 100 settings x 8 starts', fontsize=9)
  hits.set_title('settings at their minimum, %', fontsize=9)
  hits.set(xlabel='starts, from small to large', ylim=(0, 105))
  legend(figure, times)
  return figure


# --- All of them -------------------------------------------------------------

PARTS: dict[str, Callable[[], Part]] = {
  'layers': layers_part,
  'widths': widths_part,
  'pairs': pairs_part,
  'root': root_part,
  'decay': decay_part,
  'frames': frames_part,
  'speed': speed_part,
}


def section(name, part: Part, wall) -> str:
  """A part as Markdown."""
  table = report.markdown_table(part.header.split(','), part.rows)
  files = [picture_name(name, end) for end in part.figures]
  return '\n\n'.join(
    [
      f'## {name}',
      f'`python -m experiments.deep_linear --parts={name}`: {wall:.0f} s on '
      f'{os.cpu_count()} CPU cores, JAX {jax.__version__}. {part.text}',
      table,
      '\n'.join(f'![{name}]({file})' for file in files),
    ]
  )


def picture_name(name, end) -> str:
  return '_'.join(filter(None, ['deep_linear', name, end])) + '.png'


def with_section(page: str, name: str, text: str) -> str:
  """The page with a part's section in place of its old one, in their order."""
  found = dict(re.findall(r'^## (\w+)\n(.*?)(?=^## |\Z)', page, re.M | re.S))
  sections = {old: f'## {old}\n\n{rest.strip()}' for old, rest in found.items()}
  sections[name] = text
  head = '# Collapse under deep linear layers'
  ordered = [sections[part] for part in PARTS if part in sections]
  return '\n\n'.join([head, *ordered]) + '\n'


def check_parts(names: Sequence[str]):
  """Raises an error for people if there is no such part."""
  unknown = [name for name in names if name not in PARTS]
  if unknown:
    raise DeepLinearError(
      f'There is no part {unknown[0]!r}: choose among {", ".join(PARTS)}.'
    )


def write(folder: pathlib.Path, name: str, part: Part, wall: float):
  """Puts a part's table and pictures among those of the others."""
  for end, figure in part.figures.items():
    figure.savefig(folder / picture_name(name, end), dpi=_DPI)
  page = folder / 'deep_linear.md'
  old = page.read_text() if page.exists() else ''
  page.write_text(with_section(old, name, section(name, part, wall)))


def parse(argv: list[str]) -> argparse.Namespace:
  """The command line, without the program, as arguments."""
  parser = argparse_flags.ArgumentParser(
    prog='python -m experiments.deep_linear'
  )
  parser.add_argument(
    '--parts',
    type=lambda value: value.split(','),
    default=list(PARTS),
    help='which parts, by commas (default: all)',
  )
  parser.add_argument(
    '--output',
    type=pathlib.Path,
    default=pathlib.Path('experiments/results'),
    help='where to write (default: %(default)s)',
  )
  return parser.parse_args(argv)


def main(args: argparse.Namespace):
  names, folder = args.parts, args.output
  check_parts(names)
  folder.mkdir(parents=True, exist_ok=True)
  for number, name in enumerate(names, 1):
    logging.info('Part %d of %d: %s.', number, len(names), name)
    wall, part = seconds(PARTS[name])
    write(folder, name, part, wall)
    logging.info('Part %s took %.0f s.', name, wall)
  logging.info('Saved in %s.', folder)


if __name__ == '__main__':
  command.run(main, parse)
