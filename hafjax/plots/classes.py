# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Order, groups and names of classes in pictures."""

from jaxtyping import Int
import numpy as np

from hafjax.hierarchy import Hierarchy

# Up to here classes are named one by one.
MAX_NAMES = 30


def tree_order(
  hierarchy: Hierarchy,
) -> Int[np.ndarray, 'k']:
  """Classes in an order in which the groups of every level stay together.

  Groups, and classes within them, keep the order of their first class.

  Args:
    hierarchy: K classes.

  Returns:
    int64[K], a permutation of the class indices.
  """
  return np.lexsort(levels(hierarchy)[::-1])


def levels(hierarchy) -> np.ndarray:
  """Labels of the classes at depths 0 to height, int[height + 1, K]."""
  depths = range(hierarchy.height + 1)
  return np.stack([hierarchy.level_labels(depth) for depth in depths])


def group_names(hierarchy, level) -> list[str]:
  """Names of the nodes that stand for the groups of `level_labels(level)`."""
  nodes = hierarchy.leaves
  for _ in range(hierarchy.height - level):
    deep = hierarchy.node_depths[nodes] > level
    nodes = np.where(deep, hierarchy.parents[nodes], nodes)
  _, first = np.unique(nodes, return_index=True)
  return [shown(hierarchy.node_names[node]) for node in nodes[np.sort(first)]]


def shown(name: str) -> str:
  """A name as text: data sets write underscores for spaces."""
  return name.replace('_', ' ').replace('$', r'\$')


def check_size(num_classes, hierarchy, what):
  if hierarchy is not None and num_classes != hierarchy.num_classes:
    raise ValueError(
      f'{what} has {num_classes:,} classes, but the hierarchy has '
      f'{hierarchy.num_classes:,}.'
    )
