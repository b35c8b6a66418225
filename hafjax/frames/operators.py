# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames as operators: what a classifier and its loss need, dense or not.

Both kinds are pytrees: they pass through jit and grad, and into checkpoints.
Everything is computed in the floating type of the features.
"""

import os
from typing import TypeAlias

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer
import numpy as np

from hafjax.frames.distances import FrameError
from hafjax.frames.distances import resolved
from hafjax.frames.kernels import Mapping
from hafjax.frames.kernels import tree_kernel
from hafjax.frames.separation import check_min_similarity
from hafjax.frames.separation import tree_separation
from hafjax.hierarchy import Hierarchy
from hafjax.numerics import arrays
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike


@flax.struct.dataclass
class DenseFrame:
  """A frame as a matrix.

  Attributes:
    vectors: one row per class, [K, d].
  """

  vectors: Float[AnyArray, 'k d']

  @property
  def num_classes(self) -> int:
    return self.vectors.shape[0]

  @property
  def dim(self) -> int:
    return self.vectors.shape[1]

  def logits(self, features: Float[ArrayLike, 'b d']) -> Float[Array, 'b k']:
    """Products of features with all class vectors."""
    features = _checked(features, self)
    return features @ jnp.asarray(self.vectors, features.dtype).T

  def rows(self, labels: Integer[ArrayLike, 'b']) -> Float[Array, 'b d']:
    """Class vectors of labels."""
    return jnp.asarray(self.vectors)[arrays.as_jax(labels)]

  def similarity(
    self, labels: Integer[ArrayLike, 'b'], labels2: Integer[ArrayLike, 'c']
  ) -> Float[Array, 'b c']:
    """Products of class vectors with each other."""
    return self.rows(labels) @ self.rows(labels2).T


@flax.struct.dataclass
class TreeFrame:
  """The hierarchy-aware frame of a tree, without any K x K or K x d array.

  With A[k, v] = sqrt((1 - s) c_v) on the nodes v from the root to class k, u
  the minimum-norm solution of A u = 1, and a scalar tau, the class vectors are
  the rows of W = A (I - tau u u^T), in N dimensions, a node each. They have the
  similarity of `frames.similarity`; a logit is a sum down the tree.

  Make it by `create`. A method takes O(N) operations per feature.

  Attributes:
    scale: sqrt((1 - s) c), [N].
    centre: u, [N].
    shrinkage: tau, [].
    min_similarity: s, [].
    parents: int32[N], as in the hierarchy.
    leaves: int32[K], as in the hierarchy.
    depths: int32[N], as in the hierarchy.
    level_starts: first node of each level, and N at the end.
  """

  scale: Float[AnyArray, 'n']
  centre: Float[AnyArray, 'n']
  shrinkage: Float[AnyArray, '']
  min_similarity: Float[AnyArray, '']
  parents: Int[AnyArray, 'n']
  leaves: Int[AnyArray, 'k']
  depths: Int[AnyArray, 'n']
  level_starts: tuple[int, ...] = flax.struct.field(pytree_node=False)

  @classmethod
  def create(
    cls,
    hierarchy: Hierarchy | str | os.PathLike,
    gamma: float,
    mapping: Mapping = 'exponential',
    min_similarity: float | None = None,
    kind: str = 'lca_height',
  ) -> 'TreeFrame':
    """The frame of a hierarchy, in float64, in linear time.

    Args:
      hierarchy: N nodes, K classes; or the name of a built-in one, or its
        file.
      gamma: decay of similarity with distance, > 0.
      mapping: see `frames.min_similarity`.
      min_similarity: s, the exact minimum by default.
      kind: of the hierarchy's distances.

    Raises:
      FrameError: as `frames.similarity`.
    """
    hierarchy = resolved(hierarchy)
    if not isinstance(hierarchy, Hierarchy):
      raise FrameError(
        'TreeFrame needs a hierarchy: distances alone have no tree.'
      )
    kernel = tree_kernel(hierarchy, gamma, mapping, kind)
    s = tree_separation(kernel)
    if min_similarity is not None:
      check_min_similarity(min_similarity, s)
      s = min_similarity
    weights, total = _balance(hierarchy, kernel)
    norm2 = total / (1 - s)
    return cls(
      scale=np.sqrt((1 - s) * kernel.increments),
      centre=np.sqrt(kernel.increments / (1 - s)) * weights,
      shrinkage=np.asarray((1 - np.sqrt(max(0.0, 1 + s * norm2))) / norm2),
      min_similarity=np.asarray(s, np.float64),
      parents=hierarchy.parents,
      leaves=hierarchy.leaves,
      depths=hierarchy.node_depths,
      level_starts=hierarchy.level_starts,
    )

  @property
  def num_classes(self) -> int:
    return self.leaves.shape[0]

  @property
  def dim(self) -> int:
    return self.scale.shape[0]

  def logits(self, features: Float[ArrayLike, 'b n']) -> Float[Array, 'b k']:
    """Products of features with all class vectors."""
    features = _checked(features, self)
    dtype = features.dtype
    values = features * jnp.asarray(self.scale, dtype)[None]
    sums = tree_sums.down(values, self)
    projections = sums[:, jnp.asarray(self.leaves)]
    return projections - self._offset(features)

  def _offset(self, features):
    """tau (u . h), which all classes share as A u = 1; [B, 1]."""
    centre = jnp.asarray(self.centre, features.dtype)
    along = jnp.sum(features * centre[None], axis=1, keepdims=True)
    return jnp.asarray(self.shrinkage, features.dtype) * along

  def _paths(self, labels):
    """Ancestors of classes, int[B, levels]; shallow classes repeat."""
    parents, depths = jnp.asarray(self.parents), jnp.asarray(self.depths)
    nodes = jnp.asarray(self.leaves)[arrays.as_jax(labels)]
    paths = []
    for level in range(len(self.level_starts) - 2, -1, -1):
      nodes = jnp.where(depths[nodes] > level, parents[nodes], nodes)
      paths.append(nodes)
    return jnp.stack(paths[::-1], axis=1)

  def rows(self, labels: Integer[ArrayLike, 'b']) -> Float[Array, 'b n']:
    """Class vectors of labels."""
    scale = jnp.asarray(self.scale)
    paths = self._paths(labels)
    rows = jnp.zeros((len(paths), self.dim), scale.dtype)
    # (A u)_k = 1 makes the second term the same for all classes.
    rows = rows.at[jnp.arange(len(paths))[:, None], paths].set(scale[paths])
    return rows - jnp.asarray(self.shrinkage) * jnp.asarray(self.centre)[None]

  def similarity(
    self, labels: Integer[ArrayLike, 'b'], labels2: Integer[ArrayLike, 'c']
  ) -> Float[Array, 'b c']:
    """Products of class vectors with each other."""
    scale = jnp.asarray(self.scale)
    paths, paths2 = self._paths(labels), self._paths(labels2)
    total = jnp.zeros((len(paths), len(paths2)), scale.dtype)
    for level in range(paths.shape[1]):
      nodes = paths[:, level]
      # A shallow class stands at several levels, and counts once.
      fresh = jnp.asarray(self.depths)[nodes] == level
      shared = (nodes[:, None] == paths2[None, :, level]) & fresh[:, None]
      total += jnp.where(shared, scale[nodes, None] ** 2, 0.0)
    return total + jnp.asarray(self.min_similarity)


Frame: TypeAlias = DenseFrame | TreeFrame


def as_frame(frame: Float[ArrayLike, 'k d'] | Frame) -> Frame:
  """An array [K, d] as an operator; operators as they are.

  Raises:
    FrameError: for an array of another shape.
  """
  if isinstance(frame, Frame):
    return frame
  vectors = arrays.as_array(frame)
  if vectors.ndim != 2:
    raise FrameError(
      'A frame must be of shape [K, d], a row for each class, got '
      f'{list(vectors.shape)}.'
    )
  return DenseFrame(vectors)


def _checked(features: ArrayLike, frame: Frame) -> Float[Array, 'b d']:
  """Features as a JAX array; raises FrameError unless the frame fits."""
  features = arrays.as_jax(features)
  if features.ndim != 2 or features.shape[1] != frame.dim:
    raise FrameError(
      f'features must be of shape [B, {frame.dim}], for a frame of shape '
      f'[{frame.num_classes}, {frame.dim}], got {list(features.shape)}.'
    )
  return features


def _balance(tree, kernel) -> tuple[np.ndarray, float]:
  """Sums of x = E^-1 1 over the leaves under each node, [N]; and q.

  Top-down: of the right-hand side 1, the nodes down to v leave 1 / (1 + c t) of
  what the nodes above v leave.
  """
  inverse = kernel.inverse_sums
  left = np.ones(tree.num_nodes)
  # Identical classes have no increment, and no say.
  with np.errstate(divide='ignore', invalid='ignore'):
    kept = np.where(kernel.increments > 0, kernel.below / inverse, 1.0)
    for block in tree.levels[1:]:
      above = tree.parents[block]
      left[block] = left[above] * kept[above]
    weights = np.where(kernel.increments > 0, left / inverse, 0.0)
  return weights, float(1 / inverse[0])
