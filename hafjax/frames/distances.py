# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Class distances that do not come from a tree: checks, repair, files."""

from collections.abc import Sequence
import os
import pathlib
from typing import TypeAlias

from jaxtyping import Float, Num
import numpy as np
import scipy.sparse.csgraph

from hafjax.errors import UserError
from hafjax.files.arrays import as_real
from hafjax.files.arrays import load_archive
from hafjax.files.arrays import load_array
from hafjax.files.text import describe_error
from hafjax.files.text import quote_some
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.hierarchy import load_hierarchy
from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike

# Of K classes: [K, K].
Matrix: TypeAlias = Num[ArrayLike, 'k k'] | Sequence[Sequence[float]]
# Distances, or what has some: a hierarchy, the name of a built-in one, a file.
Distances: TypeAlias = Matrix | Hierarchy | str | os.PathLike

# Relative slack for distances that were measured or rounded.
_TOLERANCE = 1e-9

# Quadratic work each: seconds for 1,000 classes.
_MOST_MIDDLES = 2048


class FrameError(UserError):
  """A frame that does not exist; the message says why, and what would work."""


def check_distances(
  distances: Matrix,
) -> Float[np.ndarray, 'k k']:
  """Distances as float64, if they are distances.

  Args:
    distances: [K, K], K at least 2.

  Returns:
    float64[K, K].

  Raises:
    FrameError: if they are no numbers, not square, not finite, negative, not
      symmetric, not zero on the diagonal, or all zero; the message names the
      first such entry.
  """
  try:
    matrix = as_real(arrays.as_numpy(distances))
  except (TypeError, ValueError) as error:
    raise FrameError(
      f'Distances must be a matrix of numbers: {describe_error(error)}.'
    ) from error
  if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
    raise FrameError(f'Distances must be square, got shape {matrix.shape}.')
  if len(matrix) < 2:
    raise FrameError(f'A frame needs at least 2 classes, got {len(matrix)}.')
  for bad, words in (
    (~np.isfinite(matrix), 'finite'),
    (matrix < 0, 'at least 0'),
    (matrix != matrix.T, 'symmetric'),
    (np.eye(len(matrix), dtype=bool) & (matrix != 0), 'zero on the diagonal'),
  ):
    if bad.any():
      i, j = map(int, np.argwhere(bad)[0])
      raise FrameError(
        f'Distances must be {words}: entry [{i}, {j}] is {matrix[i, j]:g}'
        + (f' and [{j}, {i}] is {matrix[j, i]:g}.' if i != j else '.')
      )
  if not matrix.any():
    raise FrameError('All distances are zero: the classes are one class.')
  return matrix


def resolved(distances: Distances) -> Hierarchy | Matrix:
  """Distances, or a hierarchy, which is loaded where a name or file is given.

  Args:
    distances: a file that ends in .npy or .npz holds distances (see
      `load_distances`); any other file, a hierarchy.

  Raises:
    FrameError: if the file cannot be read, or there is no such hierarchy.
  """
  if not isinstance(distances, str | os.PathLike):
    return distances
  if pathlib.Path(distances).suffix in ('.npy', '.npz'):
    return load_distances(distances)
  try:
    return load_hierarchy(distances)
  except HierarchyError as error:
    raise FrameError(str(error)) from error


def broken_triangle(
  distances: Matrix,
) -> tuple[int, int, int] | None:
  """Where the triangle inequality fails.

  Not every metric has a frame (every ultrametric has), and some distances that
  are no metric have one, such as squared lengths; but a broken triangle is the
  first thing to look at.

  Args:
    distances: [K, K]. Above 2,048 classes, only 2,048 of them, equally spaced,
      are looked at as the ones in the middle.

  Returns:
    The classes (i, k, j) with D[i, j] > D[i, k] + D[k, j] by most for the first
    such k, or None.
  """
  matrix = np.asarray(distances, np.float64)
  slack, count = _TOLERANCE * matrix.max(), len(matrix)
  for k in np.unique(np.linspace(0, count - 1, _MOST_MIDDLES, dtype=int)):
    excess = matrix - matrix[:, [k]] - matrix[[k], :]
    if excess.max() > slack:
      i, j = np.unravel_index(excess.argmax(), excess.shape)
      return int(i), int(k), int(j)
  return None


def triangle_words(matrix: np.ndarray, broken: tuple[int, int, int]) -> str:
  """A broken triangle for a message."""
  i, k, j = broken
  return (
    f'they are not a metric, as entry [{i}, {j}] is {matrix[i, j]:g} but the '
    f'way by {k} is {matrix[i, k]:g} + {matrix[k, j]:g} '
    '(frames.metric_closure repairs that)'
  )


def metric_closure(
  distances: Matrix,
) -> Float[np.ndarray, 'k k']:
  """The largest metric that nowhere exceeds the given distances.

  Every distance becomes the length of the shortest way, others in between.

  Args:
    distances: symmetric, at least 0, [K, K].

  Returns:
    float64[K, K].
  """
  # Zeros would be taken as missing edges in a dense graph.
  graph = scipy.sparse.csgraph.csgraph_from_dense(
    np.asarray(distances, np.float64), null_value=np.inf
  )
  closed = scipy.sparse.csgraph.shortest_path(graph, 'FW', directed=False)
  np.fill_diagonal(closed, 0.0)
  return np.minimum(closed, closed.T)


def load_distances(
  file: str | os.PathLike, class_names: Sequence[str] | None = None
) -> Float[np.ndarray, 'k k']:
  """Class distances from a file.

  Args:
    file: `.npy`, `.npz` (array 'distances'), or `.csv`: K rows of K numbers,
      with or without a first line of class names.
    class_names: the data set's, in its class order. A file with names is put
      into this order; rows of one without are taken to be in it already.

  Returns:
    float64[K, K], checked by `check_distances`.

  Raises:
    FrameError: if the file cannot be read, has other classes, or its distances
      are bad.
  """
  path = pathlib.Path(file)
  try:
    names, matrix = _read(path)
    matrix = check_distances(matrix)
  except (OSError, ValueError) as error:
    raise FrameError(f'{path}: {describe_error(error)}.') from None
  if class_names is None:
    return matrix
  if names is None:
    if len(matrix) != len(class_names):
      raise FrameError(
        f'{path}: distances of {len(matrix)} classes, but there are '
        f'{len(class_names)}.'
      )
    return matrix
  missing = [name for name in class_names if name not in names]
  surplus = [name for name in names if name not in set(class_names)]
  if missing or surplus:
    raise FrameError(
      f'{path}: the classes are not those of the data: missing '
      f'{quote_some(missing) or "none"}; unknown '
      f'{quote_some(surplus) or "none"}.'
    )
  order = [names.index(name) for name in class_names]
  return matrix[np.ix_(order, order)]


def _read(path: pathlib.Path) -> tuple[list[str] | None, np.ndarray]:
  """Class names, if the file has any, and the matrix as it stands there."""
  if path.suffix == '.npy':
    return None, load_array(path)
  if path.suffix == '.npz':
    arrays = load_archive(path)
    if 'distances' not in arrays:
      only = quote_some(arrays) or 'none'
      raise ValueError(f"there is no array 'distances', only {only}")
    return None, arrays['distances']
  if path.suffix != '.csv':
    raise ValueError('distances are read from .npy, .npz and .csv files')
  lines = path.read_text('utf-8-sig').splitlines()
  rows = [
    [cell.strip() for cell in line.split(',')] for line in lines if line.strip()
  ]
  if not rows:
    raise ValueError('the file is empty')
  names = None
  if not all(_is_number(cell) for cell in rows[0]):
    names, *rows = rows
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
      raise ValueError(f'class {quote_some([min(repeated)])} occurs twice')
  width = len(names or rows[0])
  for number, row in enumerate(rows, 1):
    if len(row) != width or not all(map(_is_number, row)):
      raise ValueError(f'row {number} is not {width} numbers')
  if len(rows) != width:
    raise ValueError(f'there are {len(rows)} rows of {width} numbers')
  return names, np.array(rows, np.float64)


def _is_number(text: str) -> bool:
  try:
    float(text)
  except ValueError:
    return False
  return True
