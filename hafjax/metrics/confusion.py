# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Mistakes by their place in the tree, and confusion matrices."""

import flax
from jaxtyping import Array, Float, Int, Int64
import numpy as np

from hafjax.hierarchy import Hierarchy


@flax.struct.dataclass
class PathTables:
  """Paths of classes, level by level.

  Attributes:
    of_class: the class's node at each depth 1, ..., H; a class less deep stands
      for itself, int[K, H].
    heights: of the class's node at each depth 0, ..., H; 0 below the class,
      int[K, H + 1].
  """

  of_class: Int[Array, 'k h']
  heights: Int[Array, 'k l']

  @classmethod
  def create(cls, tree: Hierarchy) -> 'PathTables':
    paths = tree.path_table
    return cls(
      of_class=np.where(paths < 0, tree.leaves[:, None], paths)[:, 1:],
      heights=np.where(paths < 0, 0, tree.node_heights[paths]),
    )


def mistake_heights(
  labels: Int[Array, 'n'], predictions: Int[Array, 'n'], paths: PathTables
) -> Int[Array, 'n']:
  """Heights of the lowest common ancestors of labels and predictions.

  Args:
    labels: class indices, int[N].
    predictions: the same.
    paths: of the classes, arrays of the same library: NumPy, or JAX.

  Returns:
    int[N]: 0 where a prediction is right.
  """
  same = paths.of_class[predictions] == paths.of_class[labels]
  # As deep as the two paths are one, where they part is the LCA.
  heights = paths.heights[labels, same.sum(axis=1)]
  # A class is its own LCA at any depth.
  return heights * (predictions != labels)


def height_shares(
  labels: Int[np.ndarray, 'n'],
  predictions: Int[np.ndarray, 'n'],
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
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  paths = PathTables.create(hierarchy)
  heights = mistake_heights(labels, predictions, paths)
  counts = np.bincount(heights, minlength=hierarchy.height + 1)
  return counts[1:] / len(labels)


def node_hits(
  labels: Int[np.ndarray, 'n'],
  predictions: Int[np.ndarray, 'n'],
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
  labels: Int[np.ndarray, 'n'],
  predictions: Int[np.ndarray, 'n'],
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
  vectors: Float[np.ndarray, 'k d'], centered: bool = False
) -> Float[np.ndarray, 'k k']:
  """Cosines of all pairs of rows; 0 with a row that is zero.

  Args:
    vectors: [K, d].
    centered: whether their mean is subtracted first.
  """
  vectors = np.asarray(vectors, np.float64)
  if centered:
    vectors = vectors - vectors.mean(axis=0)
  lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
  unit = vectors / np.where(lengths > 0, lengths, 1)
  return unit @ unit.T
