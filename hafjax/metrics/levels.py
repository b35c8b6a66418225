# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Accuracy and consistency of the levels' predictions; full-path accuracy."""

from collections.abc import Mapping
from typing import ClassVar

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.metrics import base
from hafjax.metrics import confusion
from hafjax.numerics import tree_sums


@flax.struct.dataclass
class Levels:
  """Figures of the tree's levels, named as in `metrics.evaluate`.

  Attributes:
    hierarchy: K classes, height H, N nodes.
    paths: of the classes.
    above: of each level's nodes the one in the level above, int[H, N].
  """

  direction: ClassVar[Mapping[str, int]] = {
    'level_accuracy@': 1,
    'full_path_accuracy': 1,
    'path_consistency': 1,
    'step_consistency': 1,
  }
  num_ranked: ClassVar[int] = 0

  hierarchy: Hierarchy = flax.struct.field(pytree_node=False)
  paths: confusion.PathTables
  above: Int[Array, 'h n']

  @classmethod
  def create(cls, tables: base.MetricTables) -> 'Levels':
    tree = tables.hierarchy
    depths, levels = tree.node_depths, np.arange(1, tree.height + 1)[:, None]
    return cls(
      hierarchy=tree,
      paths=confusion.PathTables.create(tree),
      above=np.where(depths == levels, tree.parents, np.arange(tree.num_nodes)),
    )

  def sums(self, batch: base.Scored, weight) -> dict[str, Array]:
    """See `base.Metric`."""

    def total(values):
      # No product of matrices, which accelerators round.
      return jnp.sum(weight * values.T, axis=-1)

    labels, predictions = batch.labels, batch.predictions
    paths = jax.tree.map(jnp.asarray, self.paths)
    path = paths.of_class[labels]
    nodes = level_predictions(batch.probs, self.hierarchy)
    level = jnp.arange(1, self.hierarchy.height)
    agree = jnp.asarray(self.above)[level, nodes[:, 1:]] == nodes[:, :-1]
    steps = agree.mean(axis=1) if agree.shape[1] else jnp.ones(len(labels))
    heights = confusion.mistake_heights(labels, predictions, paths)
    by_height = jnp.zeros(self.hierarchy.height + 1, weight.dtype)
    return dict(
      count=weight.sum(),
      right=total(paths.of_class[predictions] == path),
      full_path_accuracy=total((nodes == path).all(axis=1)),
      path_consistency=total(agree.all(axis=1)),
      step_consistency=total(steps),
      heights=by_height.at[heights].add(weight),
    )

  def finalize(self, sums: dict[str, np.ndarray]) -> dict[str, float]:
    """See `base.Metric`."""
    sums = dict(sums)
    count = sums.pop('count')
    base.check_count(count)
    right, heights = sums.pop('right') / count, sums.pop('heights') / count
    figures = {name: float(value / count) for name, value in sums.items()}
    for level, share in enumerate(right, 1):
      figures[f'level_accuracy@{level}'] = float(share)
    for height, share in enumerate(heights[1:], 1):
      figures[f'mistakes@height_{height}'] = float(share)
    return figures


METRIC = Levels


def level_predictions(
  probs: Float[Array, 'b k'], hierarchy: Hierarchy
) -> Int[Array, 'b h']:
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
  probs: Float[Array, 'b k'],
  labels: Int[Array, 'b'],
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
  nodes = level_predictions(jnp.asarray(probs), hierarchy)
  paths = confusion.PathTables.create(hierarchy)
  right = nodes == paths.of_class[np.asarray(labels)]
  return float(jnp.mean(right.all(axis=1)))
