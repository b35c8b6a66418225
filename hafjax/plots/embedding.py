# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames in two or three dimensions."""

import textwrap

from jaxtyping import Float
import matplotlib
from matplotlib import figure as figure_lib
from matplotlib import lines
from matplotlib import patheffects
from mpl_toolkits.mplot3d import proj3d
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import levels
from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike
from hafjax.plots import classes

# Panels are squares of this many points (1/72 inch), text is this high.
_PANEL = 280
_FONT = 8

# The largest legend of groups, and the largest list of qualitative colours.
_MAX_LEGEND = 12


def embedding_picture(
  frame: Float[ArrayLike, 'k d'],
  hierarchy: Hierarchy | None = None,
  dims: int = 2,
  *,
  level: int | None = None,
  title: str | None = None,
) -> figure_lib.Figure:
  """Class vectors in the 2 or 3 dimensions that show most of their length.

  The axes are the principal directions of the rows from the origin, not from
  their mean, for cosines are angles at the origin. How much of the vectors'
  summed squared length an axis shows stands beside it, their sum above. Vectors
  that differ in other directions alone lie upon each other: they share a label.
  Up to 30 classes are named; of more, the places where all classes of a node
  are, with their number, unless there are over 30 places.

  Args:
    frame: a row per class, [K, d].
    hierarchy: of the K classes, for colours and names.
    dims: 2 or 3.
    level: depth of the ancestors that colour the classes, explained by a legend
      up to 12; by default the first with more than one.
    title: above all.

  Returns:
    A figure with one axes; its first collection is the K points, in class
    order.

  Raises:
    ValueError: if dims is neither, the frame is no finite matrix or all zero,
      it differs from the hierarchy in the number of classes, or the hierarchy
      has no such level.
  """
  if dims not in (2, 3):
    raise ValueError(f'dims must be 2 or 3, got {dims}.')
  points, shares = _principal(frame, dims)
  classes.check_size(len(points), hierarchy, 'The frame')
  figure = figure_lib.Figure(figsize=(5.6, 5.0), layout='constrained')
  axis = figure.add_subplot(projection='3d' if dims == 3 else None)
  groups, names = _groups(hierarchy, level, len(points))
  colours = _colours(int(groups.max()) + 1)
  for group, colour in enumerate(colours):
    ends = points[groups == group]
    # A line from the origin to each, lifted in between.
    rays = np.stack([0 * ends, ends, np.nan * ends], axis=1).reshape(-1, dims)
    axis.plot(*rays.T, color=colour, linewidth=0.8, alpha=0.6, zorder=1)
  scatter = dict(depthshade=False) if dims == 3 else {}
  axis.scatter(
    *points.T,
    c=colours[groups],
    s=30,
    edgecolors='white',
    linewidths=0.6,
    zorder=2,
    **scatter,
  )
  for number, share in enumerate(shares, 1):
    label = getattr(axis, f'set_{"xyz"[number - 1]}label')
    label(f'direction {number} ({share:.0%})', fontsize=9)
  axis.tick_params(labelsize=_FONT)
  if dims == 3:
    axis.set(xticklabels=[], yticklabels=[], zticklabels=[])
  axis.locator_params(nbins=5)
  axis.margins(0.35 if dims == 2 else 0.05)
  axis.set_aspect('equal', adjustable='datalim')
  axis.set_title(f'{shares.sum():.0%} of the squared length', fontsize=9)
  if names and len(names) <= _MAX_LEGEND:
    handles = [
      lines.Line2D([], [], linestyle='', marker='o', color=colour, label=name)
      for colour, name in zip(colours, names, strict=True)
    ]
    figure.legend(
      handles=handles,
      loc='outside lower center',
      ncols=max(1, min(len(names), 4, 68 // (5 + max(map(len, names))))),
      frameon=False,
      fontsize=9,
    )
  figure.suptitle(title)
  _name_points(figure, axis, points, hierarchy)
  return figure


def _principal(frame, dims) -> tuple[np.ndarray, np.ndarray]:
  """Coordinates [K, dims], and the share of the squared length of each."""
  frame = arrays.as_numpy(frame, np.float64)
  if frame.ndim != 2:
    raise ValueError(f'A frame must be a matrix, got shape {frame.shape}.')
  if not (np.isfinite(frame).all() and frame.any()):
    raise ValueError('A frame must be finite and not all zero.')
  if frame.shape[1] > len(frame):
    # The same vectors up to a rotation, in K dimensions.
    frame = np.linalg.qr(frame.T, mode='r').T
  # An SVD of 1,000 classes takes ten times as long.
  values, vectors = np.linalg.eigh(frame.T @ frame)
  values = np.maximum(values, 0.0)
  missing = max(0, dims - len(values))
  points = np.pad(frame @ vectors[:, ::-1][:, :dims], ((0, 0), (0, missing)))
  shares = np.pad(values[::-1][:dims] / values.sum(), (0, missing))
  # The signs of eigenvectors mean nothing: most go to the right, and up.
  return np.where(points.sum(axis=0) < 0, -1, 1) * points, shares


def _groups(hierarchy, level, num_classes) -> tuple[np.ndarray, list[str]]:
  """Label and name of the group that gives each class its colour."""
  if hierarchy is None:
    return np.zeros(num_classes, int), []
  if level is None:
    labels = levels.class_labels(hierarchy)
    level = int(np.argmax(labels.max(axis=1) > 0))
  return hierarchy.level_labels(level), classes.group_names(hierarchy, level)


def _colours(count) -> np.ndarray:
  """RGBA colours, [count, 4]."""
  if count <= 10:
    return matplotlib.colormaps['tab10'](np.arange(count))
  if count <= 20:
    return matplotlib.colormaps['tab20'](np.arange(count))
  return matplotlib.colormaps['turbo'](np.linspace(0.05, 0.95, count))


# --- Names beside points -----------------------------------------------------

# Where a name is tried: turned by these angles from the way out of the origin,
# and this many points away.
_TURNS = np.deg2rad([0, 25, -25, 50, -50, 80, -80, 115, -115, 150, -150, 180])
_RADII = np.array([5, 12, 20, 30, 42, 56])

# Letters in a line.
_WRAP = 18


def _name_points(figure, axis, points, hierarchy):
  """Names the classes at each place, such that the names hide nothing."""
  spots = _spots(points)
  if len(spots) > classes.MAX_NAMES:
    return
  names = [_spot_name(spot, len(points), hierarchy) for spot in spots]
  figure.draw_without_rendering()  # Now the axes are where they will be.
  pixels = figure.dpi / 72
  window = axis.get_window_extent().get_points() / pixels
  places = _on_paper(axis, points[[spot[0] for spot in spots]]) / pixels
  origin = _on_paper(axis, np.zeros((1, points.shape[1])))[0] / pixels
  rays = origin + np.linspace(0, 1, 25)[:, None, None] * (places - origin)
  boxes = np.empty((0, 2, 2))
  # The outer first: inner ones would take the place outwards of them.
  for spot in np.argsort(-np.linalg.norm(places - origin, axis=1)):
    if names[spot] is None:
      continue
    place = places[spot]
    label = axis.annotate(
      names[spot],
      xy=axis.transData.inverted().transform(place * pixels),
      xytext=(0, 0),
      textcoords='offset points',
      ha='center',
      va='center',
      fontsize=_FONT,
      path_effects=[patheffects.withStroke(linewidth=2, foreground='white')],
    )
    # A layout that saw the labels would move the axes from under them.
    label.set_in_layout(False)
    size = label.get_window_extent().size / pixels + 2
    box = _best_box(place, size, origin, window, boxes, rays)
    boxes = np.append(boxes, [box], axis=0)
    label.set_position(box.mean(axis=0) - place)
    near = np.clip(place, *box)
    if np.hypot(*(near - place)) > _RADII[1]:
      ends = np.array([place, near]) * pixels
      axis.add_line(_leader(axis, ends))


def _leader(axis, ends):
  """A thin line between two places on paper, [2, 2]."""
  ends = axis.transData.inverted().transform(ends)
  leader = lines.Line2D(*ends.T, color='0.5', linewidth=0.5, zorder=1)
  leader.set_in_layout(False)
  return leader


def _spots(points) -> list[list[int]]:
  """Classes by place: those that are drawn upon each other share one."""
  reach = 0.02 * np.abs(points).max()
  spots = []
  left = np.arange(len(points))
  while len(left):
    near = np.linalg.norm(points[left] - points[left[0]], axis=1) <= reach
    spots.append(left[near].tolist())
    left = left[~near]
  return spots


def _spot_name(spot, num_classes, hierarchy) -> str | None:
  """The classes if there are few in all, or else the node that they make up."""
  if num_classes <= classes.MAX_NAMES or (
    len(spot) == 1 and hierarchy is not None
  ):
    names = map(str, spot)
    if hierarchy is not None:
      names = (classes.shown(hierarchy.class_names[k]) for k in spot)
    # Lines end after commas, not inside of names.
    text = ', '.join(name.replace(' ', '\xa0') for name in names)
    text = textwrap.fill(
      text, _WRAP, break_long_words=False, break_on_hyphens=False
    )
    return text.replace('\xa0', ' ')
  if hierarchy is None:
    return None
  below = hierarchy.ancestor_matrix()
  # Nodes stand level by level: the last common one is the lowest.
  lowest = np.flatnonzero(below[spot].all(axis=0))[-1]
  if below[:, lowest].sum() != len(spot):
    return None
  name = f'{classes.shown(hierarchy.node_names[lowest])} ({len(spot)})'
  return textwrap.fill(name, _WRAP)


def _on_paper(axis, points) -> np.ndarray:
  """Pixels of points, [n, 2], from the point that a 3-D axes is seen from."""
  if points.shape[1] == 3:
    x, y, _ = proj3d.proj_transform(*points.T, axis.get_proj())
    points = np.stack([x, y], axis=1)
  return axis.transData.transform(points)


def _best_box(place, size, origin, window, boxes, rays) -> np.ndarray:
  """A box [2, 2] (lower left, upper right) near a place that hides least.

  Args:
    place: [2], all in points on paper.
    size: of the box, [2].
    origin: [2].
    window: the axes' box.
    boxes: those taken already, [n, 2, 2].
    rays: what should be seen, and their ends above all, [m, spots, 2].
  """
  turn, radius = (grid.ravel() for grid in np.meshgrid(_TURNS, _RADII))
  angle = turn + np.arctan2(*(place - origin)[::-1])
  way = np.stack([np.cos(angle), np.sin(angle)], axis=1)
  centre = place + way * (radius[:, None] + size / 2)
  low, high = (centre - size / 2)[:, None], (centre + size / 2)[:, None]
  shared = np.minimum(high, boxes[:, 1]) - np.maximum(low, boxes[:, 0])
  overlap = np.prod(np.maximum(shared, 0), axis=-1).sum(axis=-1)
  outside = np.maximum(window[0] - low, 0) + np.maximum(high - window[1], 0)
  spots = rays[-1]
  gaps = np.linalg.norm(np.clip(spots, low, high) - spots, axis=-1)
  end = np.clip(place, low[:, 0], high[:, 0])
  gap = np.linalg.norm(end - place, axis=-1, keepdims=True)
  leader = place + np.linspace(0, 1, 9)[:, None, None] * (end - place)
  badness = (
    100 * outside.sum(axis=(1, 2))
    + 50 * _inside(spots, low - 3, high + 3).sum(axis=-1)
    + 20 * overlap
    + 20 * _inside(leader[:, :, None], *boxes.swapaxes(0, 1)).sum(axis=(0, 2))
    + 10 * (gaps < gap).sum(axis=-1)  # It would seem to be another's.
    + _inside(rays.reshape(-1, 2), low, high).sum(axis=-1)
    + radius / 4
    + 2 * np.abs(turn)
  )
  best = np.argmin(badness)
  return np.stack([low[best, 0], high[best, 0]])


def _inside(points, low, high) -> np.ndarray:
  """Which points lie in which boxes."""
  return ((low < points) & (points < high)).all(axis=-1)
