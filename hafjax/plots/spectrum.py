# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Eigenvalues of similarities."""

from collections.abc import Sequence

import matplotlib
from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np

from hafjax import frames
from hafjax.frames.distances import Distances

# Up to here classes are named one by one.
_MAX_NAMES = 30

# Eigenvalues below this part of the largest are rounding errors of zero.
_ZERO = 1e-10


def spectrum_picture(
  distances: Distances,
  gammas: Sequence[float],
  *,
  kind: str = 'lca_height',
  title: str | None = None,
) -> figure_lib.Figure:
  """Eigenvalues of the similarity at exact separation, a curve for each gamma.

  The y axis is logarithmic, and with more than 30 classes the x axis too;
  eigenvalues of zero, such as the one that exact separation makes, are
  triangles at the bottom. The larger gamma, the nearer the others come to
  K / (K - 1), those of a simplex ETF.

  Args:
    distances: between classes, [K, K], or a hierarchy.
    gammas: decays of similarity with distance, each > 0; one at least.
    kind: of a hierarchy's distances, 'lca_height' or 'lca_depth'.
    title: above all.

  Returns:
    A figure with one axes; the first lines are the curves, in gammas' order,
    from index 1 and the largest eigenvalue on.

  Raises:
    ValueError: without gammas; and as `frames.similarity`.
  """
  gammas = list(gammas)
  if not gammas:
    raise ValueError('There must be at least one gamma.')
  figure = figure_lib.Figure(figsize=(5.6, 3.6), layout='constrained')
  axis = figure.subplots()
  colours = matplotlib.colormaps['viridis'](np.linspace(0, 0.9, len(gammas)))
  zeros = set()
  for gamma, colour in zip(gammas, colours, strict=True):
    s = frames.min_similarity(distances, gamma, kind=kind)
    cosines = frames.similarity(distances, gamma, min_similarity=s, kind=kind)
    values = np.linalg.eigvalsh(cosines)[::-1]
    rank = int(np.sum(values > _ZERO * values[0]))
    zeros.update(range(rank + 1, len(values) + 1))
    axis.plot(
      np.arange(1, rank + 1),
      values[:rank],
      color=colour,
      linewidth=1.4,
      drawstyle='steps-mid',
      marker='o' if len(values) <= _MAX_NAMES else None,
      markersize=3.5,
      label=rf'$\gamma$ = {gamma:g},  $s^*$ = {s:.3g}'.replace('-', '\u2212'),
    )
  num_classes = len(values)
  axis.axhline(
    num_classes / (num_classes - 1),
    color='0.5',
    linewidth=0.8,
    linestyle=':',
    label='simplex ETF',
    zorder=1,
  )
  _log_axes(axis, both=num_classes > _MAX_NAMES)
  if zeros:
    axis.plot(
      sorted(zeros),
      [0.03] * len(zeros),
      linestyle='',
      marker='v',
      color='black',
      markerfacecolor='white',
      markersize=6,
      transform=axis.get_xaxis_transform(),
      label='zero',
      zorder=3,
    )
  axis.set_xlabel('index')
  axis.set_ylabel('eigenvalue of the similarity')
  axis.spines[['top', 'right']].set_visible(False)
  axis.legend(frameon=False, fontsize=9)
  figure.suptitle(title)
  return figure


def _log_axes(axis, both):
  """Logarithmic scales with plain numbers."""
  axis.set_yscale('log')
  axis.margins(y=0.1)
  axes = [axis.yaxis]
  if both:
    axis.set_xscale('log')
    axes.append(axis.xaxis)
  for each in axes:
    each.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    each.set_major_formatter(ticker.StrMethodFormatter('{x:,g}'))
    each.set_minor_formatter(ticker.NullFormatter())
