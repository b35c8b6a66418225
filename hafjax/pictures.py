# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames, as matplotlib figures.

>>> from hafjax import frames, hierarchy, pictures
>>> tree = hierarchy.load_hierarchy('cifar100')
>>> cosines = frames.similarity(tree, gamma=2.0)
>>> figure = pictures.similarity_picture(cosines, tree)
>>> type(figure)
<class 'matplotlib.figure.Figure'>

Needs matplotlib, which `pip install hafjax[pictures]` brings. No pyplot: no
global state changes, and a notebook shows a figure once, where it ends a cell.
"""

from collections.abc import Mapping, Sequence
import textwrap

from jaxtyping import Float, Int, Num
import matplotlib
from matplotlib import figure as figure_lib
from matplotlib import lines
from matplotlib import patheffects
from matplotlib import ticker
from mpl_toolkits.mplot3d import proj3d
import numpy as np

from hafjax import frames
from hafjax import hierarchy as hierarchy_lib

# Up to here classes are named one by one.
_MAX_NAMES = 30

# Panels are squares of this many points (1/72 inch), text is this high.
_PANEL = 280
_FONT = 8

# Lines nearer to each other than this many points, on average, are a grey haze.
_MIN_GAP = 7

# The largest legend of groups, and the largest list of qualitative colours.
_MAX_LEGEND = 12

# Eigenvalues below this part of the largest are rounding errors of zero.
_ZERO = 1e-10


def tree_order(
  hierarchy: hierarchy_lib.Hierarchy,
) -> Int[np.ndarray, 'k']:
  """Classes in an order in which the groups of every level stay together.

  Groups, and classes within them, keep the order of their first class.

  Args:
    hierarchy: K classes.

  Returns:
    int64[K], a permutation of the class indices.
  """
  return np.lexsort(_levels(hierarchy)[::-1])


def _levels(hierarchy) -> np.ndarray:
  """Labels of the classes at depths 0 to height, int[height + 1, K]."""
  depths = range(hierarchy.height + 1)
  return np.stack([hierarchy.level_labels(depth) for depth in depths])


def _group_names(hierarchy, level) -> list[str]:
  """Names of the nodes that stand for the groups of `level_labels(level)`."""
  nodes = hierarchy.leaves
  for _ in range(hierarchy.height - level):
    deep = hierarchy.node_depths[nodes] > level
    nodes = np.where(deep, hierarchy.parents[nodes], nodes)
  _, first = np.unique(nodes, return_index=True)
  return [_shown(hierarchy.node_names[node]) for node in nodes[np.sort(first)]]


def _shown(name: str) -> str:
  """A name as text: data sets write underscores for spaces."""
  return name.replace('_', ' ').replace('$', r'\$')


def _check_size(num_classes, hierarchy, what):
  if hierarchy is not None and num_classes != hierarchy.num_classes:
    raise ValueError(
      f'{what} has {num_classes:,} classes, but the hierarchy has '
      f'{hierarchy.num_classes:,}.'
    )


# --- Similarities ------------------------------------------------------------


def similarity_picture(
  similarities: Float[np.ndarray, 'k k']
  | Mapping[str, Float[np.ndarray, 'k k']],
  hierarchy: hierarchy_lib.Hierarchy | None = None,
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
    name: np.asarray(matrix, np.float64)
    for name, matrix in similarities.items()
  }
  num_classes = _check_matrices(matrices, hierarchy)
  if not limit > 0:
    raise ValueError(f'limit must be positive, got {limit}.')
  order = np.arange(num_classes) if hierarchy is None else tree_order(hierarchy)
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
      if num_classes <= _MAX_NAMES:
        _name_classes(axis, hierarchy, order, rows=axis is axes[0])
      elif visible and axis is axes[0]:
        _name_groups(axis, hierarchy, order, visible)
  if hierarchy is None or num_classes > _MAX_NAMES:
    in_order = '' if hierarchy is None else ', in tree order'
    axes[0].set_xlabel(f'{num_classes:,} classes{in_order}', fontsize=9)
  bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02, label='cosine')
  bar.outline.set_linewidth(0.5)
  figure.suptitle(title)
  return figure


def _row_font(num_classes) -> float:
  """Text height in points: if classes are named, they do not touch."""
  named = num_classes <= _MAX_NAMES
  return min(_FONT, 0.8 * _PANEL / num_classes) if named else _FONT


def _check_matrices(matrices, hierarchy) -> int:
  """Returns the number of classes of all the matrices."""
  if not matrices:
    raise ValueError('There is no similarity to draw.')
  for name, matrix in matrices.items():
    what = f'Similarity {name!r}' if name else 'The similarity'
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
      raise ValueError(f'{what} must be square, got shape {matrix.shape}.')
    _check_size(len(matrix), hierarchy, what)
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
  for level, labels in enumerate(_levels(hierarchy)[:-1]):
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
  names = [_shown(hierarchy.class_names[k]) for k in order]
  axis.set_xticks(range(len(order)), names, rotation=90)
  if rows:
    axis.set_yticks(range(len(order)), names)


def _name_groups(axis, hierarchy, order, visible):
  """Names the groups of the finest visible level that have room for text."""
  level, starts = list(visible.items())[-1]
  starts = np.append(0, starts)
  sizes = np.diff(starts, append=len(order))
  names = _group_names(hierarchy, level)
  labels = hierarchy.level_labels(level)[order[starts]]
  roomy = sizes * _PANEL / len(order) >= 1.1 * _FONT
  axis.set_yticks(
    (starts + sizes / 2 - 0.5)[roomy], [names[label] for label in labels[roomy]]
  )


# --- Spectra -----------------------------------------------------------------


def spectrum_picture(
  distances: Num[np.ndarray, 'k k'] | hierarchy_lib.Hierarchy,
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


# --- Embeddings --------------------------------------------------------------


def embedding_picture(
  frame: Float[np.ndarray, 'k d'],
  hierarchy: hierarchy_lib.Hierarchy | None = None,
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
  _check_size(len(points), hierarchy, 'The frame')
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
  frame = np.asarray(frame, np.float64)
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
    labels = _levels(hierarchy)
    level = int(np.argmax(labels.max(axis=1) > 0))
  return hierarchy.level_labels(level), _group_names(hierarchy, level)


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
  if len(spots) > _MAX_NAMES:
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
  if num_classes <= _MAX_NAMES or (len(spot) == 1 and hierarchy is not None):
    names = map(str, spot)
    if hierarchy is not None:
      names = (_shown(hierarchy.class_names[k]) for k in spot)
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
  name = f'{_shown(hierarchy.node_names[lowest])} ({len(spot)})'
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
