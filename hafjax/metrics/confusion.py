# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where in the tree predictions go wrong; pure functions of arrays."""

from jaxtyping import Float, Int64, Integer
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.numerics.arrays import ArrayLike


def height_shares(
  labels: Integer[ArrayLike, 'n'],
  predictions: Integer[ArrayLike, 'n'],
  hierarchy: Hierarchy,
) -> Float[np.ndarray, 'h']:
  """How many predictions are wrong by an ancestor of each height.

  Args:
    labels: class indices, int[N], N at least 1.
    predictions: the same.
    hierarchy: of height H.

  Returns:
    float64[H]: shares of all N whose lowest common ancestor with the label has
    height 1, ..., H. They sum to the error rate.
  """
  heights = hierarchy.distances()[labels, predictions]
  counts = np.bincount(heights, minlength=hierarchy.height + 1)
  return counts[1:] / len(labels)


def node_hits(
  labels: Integer[ArrayLike, 'n'],
  predictions: Integer[ArrayLike, 'n'],
  hierarchy: Hierarchy,
) -> tuple[Int64[np.ndarray, 'nodes'], Int64[np.ndarray, 'nodes']]:
  """How many examples below each node are predicted below it.

  Args:
    labels: class indices, int[N].
    predictions: the same.
    hierarchy: gives the nodes and their order.

  Returns:
    int64[nodes], those that are; int64[nodes], all below it.
  """
  paths = hierarchy.path_table[labels]
  hits = paths[paths == hierarchy.path_table[predictions]]
  return tuple(
    np.bincount(nodes[nodes >= 0], minlength=hierarchy.num_nodes)
    for nodes in (hits, paths.ravel())
  )


def confusion(
  labels: Integer[ArrayLike, 'n'],
  predictions: Integer[ArrayLike, 'n'],
  num_classes: int,
) -> Int64[np.ndarray, 'k k']:
  """How often each class (rows) is predicted as each (columns).

  Args:
    labels: class indices, int[N].
    predictions: the same.
    num_classes: K.
  """
  pairs = np.asarray(labels, np.int64) * num_classes + predictions
  counts = np.bincount(pairs, minlength=num_classes**2)
  return counts.reshape(num_classes, num_classes)


def cosines(
  vectors: Float[ArrayLike, 'k d'], centred: bool = False
) -> Float[np.ndarray, 'k k']:
  """Cosines of all pairs of rows; 0 with a row that is zero.

  Args:
    vectors: [K, d].
    centred: whether their mean is taken off first.
  """
  vectors = np.asarray(vectors, np.float64)
  if centred:
    vectors = vectors - vectors.mean(axis=0)
  lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
  unit = vectors / np.where(lengths > 0, lengths, 1)
  return unit @ unit.T
