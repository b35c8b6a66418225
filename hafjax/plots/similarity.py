# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cosines between classes as a matrix."""

from collections.abc import Mapping

from jaxtyping import Float
from matplotlib import figure as figure_lib
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import levels
from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike
from hafjax.plots import classes

# Panels are squares of this many points (1/72 inch), text is this high.
_PANEL = 280
_FONT = 8

# Lines nearer to each other than this many points, on average, are a grey haze.
_MIN_GAP = 7


def similarity_picture(
  similarities: Float[ArrayLike, 'k k'] | Mapping[str, Float[ArrayLike, 'k k']],
  hierarchy: Hierarchy | None = None,
  *,
  level_lines: bool = True,
  title: str | None = None,
  limit: float = 1.0,
) -> figure_lib.Figure:
  """Heat maps of cosines between classes, side by side, with one colour bar.

  With a hierarchy, classes stand in tree order; lines separate the groups of
  each level, the thicker the coarser, down to the last level whose groups can
  be told apart; and up to 30 classes, or else such groups, are named.

  Args:
    similarities: a matrix [K, K], or several of the same size by title.
    hierarchy: of the K classes.
    level_lines: whether to draw the lines.
    title: above all.
    limit: colours go from -limit to limit; what is beyond looks like these.

  Returns:
    A figure with one axes per matrix, in their order, and the colour bar's.

  Raises:
    ValueError: if a matrix is not square, they or the hierarchy differ in their
      number of classes, there is no matrix, or limit is not positive.
  """
  if not isinstance(similarities, Mapping):
    similarities = {'': similarities}
  matrices = {
    name: arrays.as_numpy(matrix, np.float64)
    for name, matrix in similarities.items()
  }
  num_classes = _check_matrices(matrices, hierarchy)
  if not limit > 0:
    raise ValueError(f'limit must be positive, got {limit}.')
  order = (
    np.arange(num_classes)
    if hierarchy is None
    else classes.tree_order(hierarchy)
  )
  figure = figure_lib.Figure(
    figsize=(len(matrices) * (_PANEL + 30) / 72 + 2, _PANEL / 72 + 0.6),
    layout='compressed',
  )
  axes = figure.subplots(1, len(matrices), squeeze=False)[0]
  for axis, (name, matrix) in zip(axes, matrices.items(), strict=True):
    image = axis.imshow(
      matrix[np.ix_(order, order)], cmap='RdBu_r', vmin=-limit, vmax=limit
    )
    axis.set_title(name, fontsize=11)
    axis.tick_params(length=0, labelsize=_row_font(num_classes))
    axis.set(xticks=[], yticks=[])
    if hierarchy is not None:
      visible = _visible_levels(hierarchy, order)
      if level_lines:
        _draw_levels(axis, visible)
      if num_classes <= classes.MAX_NAMES:
        _name_classes(axis, hierarchy, order, rows=axis is axes[0])
      elif visible and axis is axes[0]:
        _name_groups(axis, hierarchy, order, visible)
  if hierarchy is None or num_classes > classes.MAX_NAMES:
    in_order = '' if hierarchy is None else ', in tree order'
    axes[0].set_xlabel(f'{num_classes:,} classes{in_order}', fontsize=9)
  bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02, label='cosine')
  bar.outline.set_linewidth(0.5)
  figure.suptitle(title)
  return figure


def _row_font(num_classes) -> float:
  """Text height in points: if classes are named, they do not touch."""
  named = num_classes <= classes.MAX_NAMES
  return min(_FONT, 0.8 * _PANEL / num_classes) if named else _FONT


def _check_matrices(matrices, hierarchy) -> int:
  """Returns the number of classes of all the matrices."""
  if not matrices:
    raise ValueError('There is no similarity to draw.')
  for name, matrix in matrices.items():
    what = f'Similarity {name!r}' if name else 'The similarity'
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
      raise ValueError(f'{what} must be square, got shape {matrix.shape}.')
    classes.check_size(len(matrix), hierarchy, what)
  sizes = [len(matrix) for matrix in matrices.values()]
  if len(set(sizes)) > 1:
    raise ValueError(
      f'The similarities must have the same number of classes, got {sizes}.'
    )
  return sizes[0]


def _visible_levels(hierarchy, order) -> dict[int, np.ndarray]:
  """First positions of the groups of levels, the coarser first, 0 left out.

  Levels that add no boundary are left out, as are those with so many that the
  lines would hide the colours.
  """
  visible = {}
  most = 0
  for level, labels in enumerate(levels.class_labels(hierarchy)[:-1]):
    starts = 1 + np.flatnonzero(np.diff(labels[order]))
    if len(starts) > min(_PANEL / _MIN_GAP, len(order) - 2):
      break
    if len(starts) > most:
      visible[level] = starts
      most = len(starts)
  return visible


def _draw_levels(axis, visible):
  drawn = set()
  width = 1.6
  for starts in visible.values():
    # A boundary of one level is one of all finer levels too.
    for start in sorted(set(starts.tolist()) - drawn):
      axis.axhline(start - 0.5, color='black', linewidth=width)
      axis.axvline(start - 0.5, color='black', linewidth=width)
    drawn.update(starts.tolist())
    width *= 0.55


def _name_classes(axis, hierarchy, order, rows):
  names = [classes.shown(hierarchy.class_names[k]) for k in order]
  axis.set_xticks(range(len(order)), names, rotation=90)
  if rows:
    axis.set_yticks(range(len(order)), names)


def _name_groups(axis, hierarchy, order, visible):
  """Names the groups of the finest visible level that have room for text."""
  level, starts = list(visible.items())[-1]
  starts = np.append(0, starts)
  sizes = np.diff(starts, append=len(order))
  names = classes.group_names(hierarchy, level)
  labels = hierarchy.level_labels(level)[order[starts]]
  roomy = sizes * _PANEL / len(order) >= 1.1 * _FONT
  axis.set_yticks(
    (starts + sizes / 2 - 0.5)[roomy], [names[label] for label in labels[roomy]]
  )
