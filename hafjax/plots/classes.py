# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Order, groups and names of classes in pictures."""

from jaxtyping import Int
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import levels

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
  return np.lexsort(levels.class_labels(hierarchy)[::-1])


def group_names(hierarchy, level) -> list[str]:
  """Names of the nodes that stand for the groups of `level_labels(level)`."""
  nodes = levels.label_nodes(hierarchy, level)
  return [shown(hierarchy.node_names[node]) for node in nodes]


def shown(name: str) -> str:
  """A name as text: data sets write underscores for spaces."""
  return name.replace('_', ' ').replace('$', r'\$')


def check_size(num_classes, hierarchy, what):
  if hierarchy is not None and num_classes != hierarchy.num_classes:
    raise ValueError(
      f'{what} has {num_classes:,} classes, but the hierarchy has '
      f'{hierarchy.num_classes:,}.'
    )
