# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies that several test files share."""

import hypothesis
from hypothesis import strategies as st

from hafjax import hierarchy

# On a busy machine, or while JAX compiles, an example takes as long as it
# takes.
hypothesis.settings.register_profile('hafjax', deadline=None)
hypothesis.settings.load_profile('hafjax')


@st.composite
def trees(
  draw, max_nodes: int = 30, min_classes: int = 1
) -> hierarchy.Hierarchy:
  """Draws a tree: ragged, with unary nodes, classes in any order.

  Shrinks to a star of few classes. In some trees, inner nodes share names.

  Args:
    max_nodes: how many nodes at most; more than `min_classes`.
    min_classes: how many classes at least, 1 or more.
  """
  num_nodes = draw(st.integers(min_classes + 1, max_nodes))
  parents = [-1]
  for node in range(1, num_nodes):
    # The last nodes stay childless, so that there are enough classes.
    last = min(node, num_nodes - min_classes) - 1
    parents.append(draw(st.integers(0, last)))
  leaves = sorted(set(range(num_nodes)) - set(parents))
  number = list(range(num_nodes))
  if draw(st.booleans()):
    number = [parents[:node].count(parents[node]) for node in number]
  names = [f'group {i}' for i in number]
  for leaf in leaves:
    names[leaf] = f'class {leaf}'
  classes = [names[leaf] for leaf in draw(st.permutations(leaves))]
  return hierarchy.Hierarchy.from_parents(parents, names, classes)
