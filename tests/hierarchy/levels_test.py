# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels and nodes per level, against each class's path written out."""

import hypothesis
import numpy as np
import pytest

from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.hierarchy import levels
from tests import strategies

RAGGED = Hierarchy.from_paths(['r/a/x', 'r/b/c/y', 'r/z', 'r/b/c/w', 'r/a/v'])


def numbered(values):
  """Numbers of values in order of first appearance, one by one."""
  numbers = {}
  return [numbers.setdefault(value, len(numbers)) for value in values]


@hypothesis.settings(max_examples=20)
@hypothesis.given(strategies.trees())
def test_levels_by_definition(tree):
  paths = [list(path) for path in tree.node_paths()]
  nodes, labels = levels.class_nodes(tree), levels.class_labels(tree)
  assert nodes.shape == labels.shape == (tree.height + 1, tree.num_classes)
  for level in range(tree.height + 1):
    expected = [path[min(level, len(path) - 1)] for path in paths]
    assert nodes[level].tolist() == expected
    assert labels[level].tolist() == numbered(expected)
    np.testing.assert_array_equal(labels[level], tree.level_labels(level))
    of_labels = levels.label_nodes(tree, level)
    assert of_labels.tolist() == list(dict.fromkeys(expected))
    if level:
      above = levels.nodes_above(tree)[level - 1]
      np.testing.assert_array_equal(above[nodes[level]], nodes[level - 1])
  parents = [path[-2] for path in paths]
  assert levels.parent_labels(tree).tolist() == numbered(parents)


def test_there_is_no_such_level(unchecked):
  for level in (-1, 4, 1.0, None):
    with pytest.raises(HierarchyError, match='from 0 to 3'):
      levels.label_nodes(RAGGED, level)


def test_level_maps():
  maps = levels.level_maps(RAGGED)
  np.testing.assert_array_equal(
    maps.labels, [[0, 1, 2, 1, 0], [0, 1, 2, 1, 3], [0, 1, 2, 3, 4]]
  )
  assert maps.sizes == (3, 4, 5)
  # At the last level x, z and v stand for themselves.
  for found, wanted in zip(
    maps.parents, ([0, 1, 2, 0], [0, 1, 2, 1, 3]), strict=True
  ):
    np.testing.assert_array_equal(found, wanted)


@hypothesis.settings(max_examples=10)
@hypothesis.given(strategies.trees())
def test_level_maps_lead_up_the_tree(tree):
  maps = levels.level_maps(tree)
  np.testing.assert_array_equal(maps.labels[-1], np.arange(tree.num_classes))
  assert len(maps.sizes) == tree.height
  for i, parents in enumerate(maps.parents):
    assert parents.shape == (maps.sizes[i + 1],)
    np.testing.assert_array_equal(parents[maps.labels[i + 1]], maps.labels[i])
