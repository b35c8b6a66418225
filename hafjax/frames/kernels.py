# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kernels E = f(D / max D) of class distances, dense and on a tree."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hafjax.frames.distances import FrameError
from hafjax.frames.distances import Matrix
from hafjax.frames.distances import check_distances
from hafjax.hierarchy import Hierarchy
from hafjax.numerics import checks

Mapping = str | Callable[[np.ndarray], np.ndarray]


def _dissimilarities(
  scaled: np.ndarray, gamma: float, mapping: Mapping
) -> np.ndarray:
  """1 - f(t) of distances t in [0, 1]: no cancellation where f is near 1."""
  if mapping == 'exponential':
    checks.check_positive('gamma', gamma, FrameError)
    return -np.expm1(-float(gamma) * scaled)
  if mapping == 'linear':
    return scaled
  if callable(mapping):
    values = np.asarray(mapping(scaled), np.float64)
    at_zero = values[scaled == 0] if values.shape == scaled.shape else [0.0]
    if not np.allclose(at_zero, 1):
      raise FrameError(
        'A mapping must keep the shape of its argument and take 0 to 1.'
      )
    if not np.isfinite(values).all():
      raise FrameError('A mapping must be finite.')
    return 1 - values
  raise FrameError(
    f"mapping must be 'exponential', 'linear' or a function, got {mapping!r}."
  )


def dense_kernel(
  distances: Hierarchy | Matrix, gamma: float, mapping: Mapping, kind: str
) -> np.ndarray:
  """E = f(D / max D), float64[K, K]."""
  if isinstance(distances, Hierarchy):
    matrix = distances.distances(kind)
    _check_several(distances)
    steps = np.arange(matrix.max() + 1) / matrix.max()
    return 1 - _dissimilarities(steps, gamma, mapping)[matrix]
  matrix = check_distances(distances)
  kernel = 1 - _dissimilarities(matrix / matrix.max(), gamma, mapping)
  if (kernel != kernel.T).any():
    raise FrameError('A mapping must be the same for equal distances.')
  return kernel


class TreeKernel(NamedTuple):
  """E as a sum over nodes: sum_v c_v 1_v 1_v^T, 1_v marking the leaves under v.

  Attributes:
    increments: c, float64[N], at least 0.
    below: 1 / t, t being the sum of q over a node's children, 0 for leaves;
      float64[N]. q = 1 / (c + 1 / t) is 1^T E_v^-1 1 over a node's leaves, E_v
      being E without what is above the node.
    excess: 1 - 1 / q of the root, without cancellation.
  """

  increments: np.ndarray
  below: np.ndarray
  excess: float

  @property
  def inverse_sums(self) -> np.ndarray:
    """1 / q of every node, float64[N]."""
    return self.increments + self.below


def _check_several(tree: Hierarchy):
  if tree.num_classes < 2:
    raise FrameError('A frame needs at least 2 classes, got 1.')


def tree_kernel(
  tree: Hierarchy,
  gamma: float,
  mapping: Mapping = 'exponential',
  kind: str = 'lca_height',
) -> TreeKernel:
  """What E is made of on a tree, in time linear in the number of nodes.

  Args:
    tree: N nodes, at least 2 classes.
    gamma: see `min_similarity`, as are mapping and kind.
    mapping: decreasing.
    kind: of the tree's distances.

  Raises:
    FrameError: for bad parameters, or a mapping that increases somewhere.
  """
  _check_several(tree)
  parents = tree.parents
  if kind == 'lca_height':
    values = tree.node_heights.astype(np.float64)
  elif kind == 'lca_depth':
    values = (tree.height - tree.node_depths).astype(np.float64)
    values[tree.leaves] = 0
  else:
    raise FrameError(f"kind must be 'lca_height' or 'lca_depth', got {kind!r}.")
  # No two classes part above the topmost fork: it has the largest distance.
  fork = np.flatnonzero(np.bincount(parents[1:]) > 1)[0]
  scaled = np.minimum(values / values[fork], 1.0)
  below = _dissimilarities(scaled, gamma, mapping)
  increments = np.empty_like(below)
  increments[0] = 1 - below[0]
  increments[1:] = below[parents[1:]] - below[1:]
  if increments.min() < 0:
    if increments[0] < 0:
      raise FrameError('A mapping must stay at or above 0.')
    node = int(increments[1:].argmin()) + 1
    raise FrameError(
      f'A mapping must not increase with distance, but it does from '
      f'{scaled[node]:.3g} to {scaled[parents[node]]:.3g}.'
    )
  sums = _child_sums(tree, increments)
  # At the root, 1 - 1 / q = f(0) - f(1) - 1 / t.
  return TreeKernel(increments, sums, float(below[0] - sums[0]))


def _child_sums(tree, increments) -> np.ndarray:
  """1 / (sum over children u of 1 / (c_u + ...)), leaves first."""
  sums = np.zeros_like(increments)
  # Identical classes (c = 0 on leaves) have infinite q; their parent's is not.
  with np.errstate(divide='ignore'):
    for block in tree.levels[:0:-1]:
      above = tree.parents[block]
      starts = np.flatnonzero(np.diff(above, prepend=-1))
      q = 1 / (increments[block] + sums[block])
      sums[above[starts]] = 1 / np.add.reduceat(q, starts)
  return sums
