# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A subspace for each node, spanned by a coordinate per node of its path.

Sani and Anand, CVPR 2026 (arXiv 2503.07853). `features` are coordinates in the
orthonormal basis, one per node below the root, in the hierarchy's order: node n
has coordinate n - 1. Their signs are ignored throughout.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import divided
from hafjax.numerics.vectors import norm


def hier_cos_loss(
  features: Float[ArrayLike, 'b m'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  alpha: float | Float[AnyArray, ''],
) -> Float[Array, 'b']:
  """Draws the magnitudes of coordinates to the nodes of the label's path.

  The divergence KL(T || softmax |z|) plus alpha times the sum over levels of

    - for examples that have a node at the level: |onehot - a / |a|_2|_1, with a
      the magnitudes on the nodes of the level;
    - for examples whose leaf is less deep: |a|_1, not normalised.

  The target T of a leaf of depth D gives its ancestor at depth l a share in
  proportion to exp(2 / (D - l + 1)): most to the leaf.

  Args:
    features: coordinates z, [B, N - 1].
    labels: class indices, int[B].
    hierarchy: N nodes, ragged or not.
    alpha: weight of the levels' term.

  Returns:
    float[B]. Its mean is the loss of Hier-COS, arXiv 2503.07853: each of the
    two kinds of examples at a level is averaged on its own, so an example
    counts by B over the number of its kind in the batch. The released code
    drops a level's first kind where all labels are node 0 of the level, as a
    batch of one superclass has it; that is a defect, and not repeated here.

  Raises:
    LossError: if the features are not as wide as the tree has nodes below the
      root, or a label is no class. Where labels are traced, such a label has
      the loss NaN.
  """
  checks.check_not_negative('alpha', alpha, LossError)
  features = _checked(features, hierarchy)
  batch = arguments.batch(features, labels, num_classes=hierarchy.num_classes)
  magnitudes, labels = jnp.abs(features), batch.labels
  # Row by row, the coordinates of the path at depths 1 to the height.
  path = jnp.asarray(hierarchy.path_table[:, 1:] - 1)[labels]
  there = path >= 0
  targets = _path_targets(hierarchy)
  # 0 log 0 = 0.
  negative_entropy = (targets * np.log(np.where(targets, targets, 1))).sum(1)

  def on_path(values):
    found = jnp.take_along_axis(values, jnp.maximum(path, 0), axis=1)
    return jnp.where(there, found, 0.0)

  def of_class(table):
    return jnp.asarray(table, magnitudes.dtype)[labels]

  shares = of_class(targets) * on_path(jax.nn.log_softmax(magnitudes))
  divergence = of_class(negative_entropy) - shares.sum(axis=1)

  blocks = [magnitudes[:, block] for block in _blocks(hierarchy)]
  sums = jnp.stack([block.sum(axis=1) for block in blocks], axis=1)
  norms = jnp.concatenate([norm(block) for block in blocks], axis=1)
  # Unit magnitudes are at most 1, so that |1 - a_y| = 1 - a_y.
  off_target = divided(sums - 2 * on_path(magnitudes), norms) + 1
  terms = jnp.where(there, off_target, sums) * _balance(there, sums.dtype)
  return batch.loss(divergence + alpha * terms.sum(axis=1))


def _checked(features, hierarchy) -> Float[Array, 'b m']:
  """Features as a JAX array, a coordinate for each node below the root."""
  features = arrays.as_jax(features)
  arguments.check_matrix(features, name='features')
  if features.shape[-1] != hierarchy.num_nodes - 1:
    raise LossError(
      f'The tree has {hierarchy.num_nodes - 1} nodes below its root, and the '
      f'features have {features.shape[-1]} dimensions: they must be the same.'
    )
  return features


def _blocks(hierarchy) -> list[slice]:
  """Coordinates of the nodes at depths 1 to the height."""
  return [
    slice(level.start - 1, level.stop - 1) for level in hierarchy.levels[1:]
  ]


def _path_targets(hierarchy) -> np.ndarray:
  """Shares of the path's nodes at depths 1 to the height, [K, height]."""
  depths = hierarchy.node_depths[hierarchy.leaves][:, None]
  above = depths - np.arange(1, hierarchy.height + 1)
  weights = np.where(above >= 0, np.exp(2 / (np.maximum(above, 0) + 1)), 0.0)
  return weights / weights.sum(axis=1, keepdims=True)


def _balance(there, dtype):
  """B over how many examples are of the same kind at a level, [B, height]."""
  having = there.sum(axis=0)
  kind = jnp.where(there, having, len(there) - having)
  return len(there) / kind.astype(dtype)


def hier_cos_scores(
  features: Float[ArrayLike, 'b m'], hierarchy: Hierarchy
) -> Float[Array, 'b k']:
  """Norms of features projected to the subspaces of the classes.

  Args:
    features: coordinates z, [B, N - 1].
    hierarchy: N nodes, K classes.

  Returns:
    float[B, K]: for each class, the root of the sum of squares over the nodes
    of its path. arXiv 2503.07853. The gradient at the zero vector is zero.

  Raises:
    LossError: as `hier_cos_loss`.
  """
  squares = _squares(features, hierarchy)
  return _root(tree_sums.down(squares, hierarchy)[:, hierarchy.leaves])


def hier_cos_node_scores(
  features: Float[ArrayLike, 'b m'], hierarchy: Hierarchy
) -> Float[Array, 'b m']:
  """Norms of features projected to the subspaces of all nodes.

  A node's subspace has the coordinates of its ancestors, of itself and of all
  nodes below it; so scores of different levels are not comparable.

  Args:
    features: coordinates z, [B, N - 1].
    hierarchy: N nodes.

  Returns:
    float[B, N - 1]. arXiv 2503.07853.

  Raises:
    LossError: as `hier_cos_loss`.
  """
  squares = _squares(features, hierarchy)
  # First what is below, which is never negative: no root of less than 0.
  below = tree_sums.up(squares, hierarchy) - squares
  return _root(below + tree_sums.down(squares, hierarchy))[:, 1:]


def hier_cos_level_predictions(
  features: Float[ArrayLike, 'b m'], hierarchy: Hierarchy
) -> Int[Array, 'b l']:
  """The best node of each level, by `hier_cos_node_scores`.

  Each level is decided on its own: predictions need not be a path.

  Args:
    features: coordinates z, [B, N - 1].
    hierarchy: N nodes.

  Returns:
    int[B, height]: nodes of the hierarchy, at depths 1 to the height, to be
    compared with `hierarchy.path_table[labels, 1:]`.

  Raises:
    LossError: as `hier_cos_loss`.
  """
  scores = hier_cos_node_scores(features, hierarchy)
  best = [
    scores[:, block].argmax(axis=1) + block.start + 1
    for block in _blocks(hierarchy)
  ]
  return jnp.stack(best, axis=1)


def _squares(features, hierarchy):
  """Squared coordinates of all nodes, 0 at the root, [B, N]."""
  return jnp.pad(_checked(features, hierarchy) ** 2, ((0, 0), (1, 0)))


def _root(squares):
  # Both branches of a where are differentiated: no root of 0 in either.
  positive = squares > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1.0)), 0.0)
