# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy and consistency by level; full path accuracy; mistakes by height."""

import flax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy.levels import class_nodes
from hafjax.hierarchy.levels import nodes_above
from hafjax.metrics.base import Metric
from hafjax.metrics.checks import checked_batch
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike


@flax.struct.dataclass
class Levels:
  """Nodes by level; a class less deep than a level stands for itself there.

  Attributes:
    hierarchy: K classes, N nodes, height H.
    of_class: the class's node in each level, int[K, H].
    above: of each level's nodes the one in the level above, int[H, N].
    lca_heights: of the node of each class at depth 0, ..., H; 0 below the
      class, int[K, H + 1].
  """

  hierarchy: Hierarchy = flax.struct.field(pytree_node=False)
  of_class: Int[Array, 'k h']
  above: Int[Array, 'h n']
  lca_heights: Int[Array, 'k l']

  @classmethod
  def create(cls, tree: Hierarchy) -> 'Levels':
    paths = tree.path_table
    return cls(
      hierarchy=tree,
      of_class=class_nodes(tree)[1:].T,
      above=nodes_above(tree),
      lca_heights=np.where(paths < 0, 0, tree.node_heights[paths]),
    )


def level_predictions(
  probs: Float[ArrayLike, 'b k'], hierarchy: Hierarchy
) -> Integer[Array, 'b h']:
  """The likeliest node of each level, by summed probabilities.

  Args:
    probs: of the classes, [B, K].
    hierarchy: K classes, height H.

  Returns:
    int[B, H], nodes at depths 1 to H (a class less deep stands for itself);
    ties go to the lower node.
  """
  probs = probs.astype(jnp.promote_types(probs.dtype, jnp.float32))
  sums = tree_sums.up(tree_sums.on_leaves(probs, hierarchy), hierarchy)
  is_leaf = np.zeros(hierarchy.num_nodes, bool)
  is_leaf[hierarchy.leaves] = True
  # The likeliest of the classes that have ended above a level, if any.
  ended = jnp.zeros(len(probs), int)
  ended_sum = jnp.full(len(probs), -1.0, probs.dtype)
  found = []
  for block in hierarchy.levels[1:]:
    nodes, largest = _likeliest(sums[:, block], block.start)
    ahead = ended_sum >= largest
    found.append(jnp.where(ahead, ended, nodes))
    if is_leaf[block].any():
      leaves = jnp.where(is_leaf[block], sums[:, block], -1.0)
      nodes, largest = _likeliest(leaves, block.start)
      ended = jnp.where(ended_sum >= largest, ended, nodes)
      ended_sum = jnp.maximum(ended_sum, largest)
  return jnp.stack(found, axis=1) if found else jnp.zeros((len(probs), 0), int)


def _likeliest(sums, first):
  """The first of the largest of a block of nodes; how large it is."""
  return first + jnp.argmax(sums, axis=1), sums.max(axis=1)


def full_path_accuracy(
  probs: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
) -> float:
  """Share of examples whose likeliest node is right at every level.

  Args:
    probs: of the classes, [B, K]; sums over inner nodes need probabilities.
    labels: class indices, int[B].
    hierarchy: K classes.

  Returns:
    A fraction. FPA: Sani and Anand, CVPR 2026. A right class can fail: the
    likeliest class need not be under the likeliest node.
  """
  probs, labels = checked_batch(probs, labels, hierarchy.num_classes, 'probs')
  nodes = level_predictions(probs, hierarchy)
  right = nodes == Levels.create(hierarchy).of_class[np.asarray(labels)]
  return float(jnp.mean(right.all(axis=1)))


def level_sums(
  predicted: Integer[ArrayLike, 'b'],
  probs: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  levels: Levels,
  weight: Float[ArrayLike, 'b'],
) -> dict[str, Array]:
  """A batch's part of `level_metrics`; `predicted` are classes."""

  def total(values):
    return weight @ values.astype(weight.dtype)

  hierarchy, of_class = levels.hierarchy, jnp.asarray(levels.of_class)
  truth, nodes = of_class[labels], level_predictions(probs, hierarchy)
  level = jnp.arange(1, hierarchy.height)
  agree = jnp.asarray(levels.above)[level, nodes[:, 1:]] == nodes[:, :-1]
  steps = agree.mean(axis=1) if agree.shape[1] else jnp.ones(len(labels))

  # As deep as the two paths are one, where they part is the LCA.
  together = (of_class[predicted] == truth).sum(axis=1)
  heights = jnp.asarray(levels.lca_heights)[labels, together]
  # A class is its own LCA at any depth.
  heights = jnp.where(predicted == labels, 0, heights)
  by_height = jnp.zeros(hierarchy.height + 1, weight.dtype)
  return dict(
    right=total(of_class[predicted] == truth),
    full_path_accuracy=total((nodes == truth).all(axis=1)),
    path_consistency=total(agree.all(axis=1)),
    step_consistency=total(steps),
    heights=by_height.at[heights].add(weight),
  )


def level_metrics(
  sums: dict[str, np.ndarray], count: float
) -> dict[str, float]:
  """Names as in `evaluate`, from sums over a split."""
  sums = dict(sums)
  right, heights = sums.pop('right') / count, sums.pop('heights') / count
  found = {name: float(value / count) for name, value in sums.items()}
  for level, share in enumerate(right, 1):
    found[f'level_accuracy@{level}'] = float(share)
  for height, share in enumerate(heights[1:], 1):
    found[f'mistakes@height_{height}'] = float(share)
  return found


METRIC = Metric(
  sums=lambda batch, levels, weight: level_sums(
    batch.ranked[:, 0], batch.probs, batch.labels, levels, weight
  ),
  finalize=lambda sums, count, levels, frame: level_metrics(sums, count),
  direction={
    'full_path_accuracy': 1,
    'level_accuracy@': 1,
    'path_consistency': 1,
    'step_consistency': 1,
  },
  tables=lambda hierarchy, distances, ks: Levels.create(hierarchy),
)
