# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels and nodes per level, also of trees whose classes differ in depth.

Level l holds what lies at depth l, from 0 to the tree's height H. A class that
is less deep than a level stands for itself there. Labels of a level count its
nodes in order of first appearance by class, as `Hierarchy.level_labels(l)`; so
those of level H are the classes in their order. K classes, N nodes.
"""

from typing import NamedTuple

from jaxtyping import Int32
import numpy as np

from hafjax.hierarchy import topology
from hafjax.hierarchy.tree import Hierarchy


def class_nodes(hierarchy: Hierarchy) -> Int32[np.ndarray, 'l k']:
  """Node of each class at levels 0 to H, int32[H + 1, K]."""
  paths = hierarchy.path_table.T
  return np.where(paths < 0, hierarchy.leaves, paths)


def class_labels(hierarchy: Hierarchy) -> Int32[np.ndarray, 'l k']:
  """Label of each class at levels 0 to H, int32[H + 1, K]."""
  nodes = class_nodes(hierarchy)
  return np.stack([topology.by_first_appearance(row)[0] for row in nodes])


def label_nodes(hierarchy: Hierarchy, level: int) -> Int32[np.ndarray, 'm']:
  """Node that each of the M labels of a level stands for, int32[M].

  Raises:
    HierarchyError: there is no such level.
  """
  hierarchy.check_level(level)
  nodes = class_nodes(hierarchy)[level]
  return nodes[topology.by_first_appearance(nodes)[1]]


def parent_labels(hierarchy: Hierarchy) -> Int32[np.ndarray, 'k']:
  """Label of each class's parent, int32[K].

  The parents are those of the classes, whatever their depths, counted in order
  of first appearance by class.
  """
  return topology.by_first_appearance(hierarchy.parents[hierarchy.leaves])[0]


def nodes_above(hierarchy: Hierarchy) -> Int32[np.ndarray, 'h n']:
  """For levels 1 to H, the node one level above each node, int32[H, N].

  Means something for nodes that are in the level: the parent of those at its
  depth, and the node itself where it is a class less deep.
  """
  levels = np.arange(1, hierarchy.height + 1)[:, None]
  nodes = np.arange(hierarchy.num_nodes, dtype=np.int32)
  return np.where(hierarchy.node_depths == levels, hierarchy.parents, nodes)


class LevelMaps(NamedTuple):
  """Labels of the levels 1 to H, and how they belong together.

  Attributes:
    labels: label of each class at each level, int32[H, K].
    parents: for levels 2 to H, the label one level up of each label, int32[n_l]
      each; of the label's own class where that class is less deep.
  """

  labels: Int32[np.ndarray, 'h k']
  parents: tuple[Int32[np.ndarray, '_'], ...]

  @property
  def sizes(self) -> tuple[int, ...]:
    """Number of labels of each level, n_1 to n_H = K."""
    return tuple((self.labels.max(axis=1) + 1).tolist())


def level_maps(hierarchy: Hierarchy) -> LevelMaps:
  """Labels of the levels 1 to H and their parents."""
  labels = class_labels(hierarchy)[1:]
  parents = []
  for above, here in zip(labels, labels[1:], strict=False):
    _, first = topology.by_first_appearance(here)
    parents.append(above[first])
  return LevelMaps(labels, tuple(parents))
