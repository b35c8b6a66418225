# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trees as arrays of parents, without recursion."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def level_slices(sorted_depths: np.ndarray) -> list[slice]:
  """Blocks of equal depth, from 0 on, in an ascending int array."""
  bounds = np.searchsorted(
    sorted_depths, np.arange(int(sorted_depths[-1]) + 2)
  ).tolist()
  return [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def by_first_appearance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Numbers distinct values in order of first appearance.

  Args:
    values: ints, [K].

  Returns:
    The number of each value, int32[K]; and where each number appears first,
    int64[M], increasing.
  """
  _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
  ranks = np.empty(len(first), np.int32)
  ranks[np.argsort(first)] = np.arange(len(first))
  return ranks[inverse], np.sort(first)


def node_depths(parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Depths in a forest, by pointer doubling: log2(depth) passes, no recursion.

  Args:
    parents: int64[N], negative for roots.

  Returns:
    depths, int64[N], and the nodes, bool[N], from which no root is reached; the
    depths of these mean nothing.
  """
  nodes = np.arange(len(parents))
  above = np.where(parents < 0, nodes, parents)
  depths = (parents >= 0).astype(np.int64)
  # 2^passes >= N steps lead from any node to its root, unless it has none.
  for _ in range(len(parents).bit_length()):
    depths += depths[above]
    above = above[above]
    if not depths[above].any():
      break
  return depths, parents[above] >= 0


def cycle(parents: np.ndarray) -> list[int]:
  """Nodes of one cycle, its least node first and last; empty if none."""
  _, lost = node_depths(parents)
  if not lost.any():
    return []
  node = int(np.argmax(lost))
  seen = {}
  while node not in seen:
    seen[node] = len(seen)
    node = int(parents[node])
  cycle = list(seen)[seen[node] :]
  least = cycle.index(min(cycle))
  cycle = cycle[least:] + cycle[:least]
  return [*cycle, cycle[0]]


class Order(NamedTuple):
  """A tree in breadth-first order.

  Attributes:
    nodes: the old index of each node, int64[N].
    parents: of the nodes in their new order, int64[N]; -1 for the root.
    leaves: new index of each class, int64[K].
    heights: edges on the longest way down to a leaf, int64[N].
    depths: edges up to the root, int64[N].
  """

  nodes: np.ndarray
  parents: np.ndarray
  leaves: np.ndarray
  heights: np.ndarray
  depths: np.ndarray


def breadth_first(
  parents: Sequence[int] | np.ndarray, leaves: Sequence[int] | np.ndarray
) -> Order:
  """Puts a checked tree into breadth-first order.

  Args:
    parents: int[N], one of them negative, no cycles.
    leaves: all nodes without children, in class order.

  Returns:
    The root, its children, their children, siblings in the order of their first
    class.
  """
  parents = np.asarray(parents, np.int64)
  leaves = np.asarray(leaves, np.int64)
  depths, _ = node_depths(parents)
  by_depth = np.argsort(depths, kind='stable')
  levels = [by_depth[block] for block in level_slices(depths[by_depth])]

  heights = np.zeros(len(parents), np.int64)
  first_class = np.full(len(parents), len(leaves))
  first_class[leaves] = np.arange(len(leaves))
  for level in levels[:0:-1]:
    np.maximum.at(heights, parents[level], heights[level] + 1)
    np.minimum.at(first_class, parents[level], first_class[level])

  new_index = np.zeros(len(parents), np.int64)
  order = [levels[0]]
  start = 1
  for level in levels[1:]:
    siblings_together = (first_class[level], new_index[parents[level]])
    level = level[np.lexsort(siblings_together)]
    new_index[level] = np.arange(start, start + len(level))
    order.append(level)
    start += len(level)
  order = np.concatenate(order)

  new_parents = new_index[parents[order]]
  new_parents[0] = -1
  return Order(
    order, new_parents, new_index[leaves], heights[order], depths[order]
  )


def child_starts(parents: np.ndarray) -> list[int]:
  """First child of each node; those of node n end where those of n + 1 begin.

  Args:
    parents: int[N], in breadth-first order.

  Returns:
    N + 1 ints.
  """
  return np.searchsorted(parents, np.arange(len(parents) + 1)).tolist()


def depth_first(parents: np.ndarray) -> list[int]:
  """All nodes, each before its children, of nodes in breadth-first order."""
  starts = child_starts(parents)
  order, todo = [], [0]
  while todo:
    node = todo.pop()
    order.append(node)
    todo.extend(range(starts[node + 1] - 1, starts[node] - 1, -1))
  return order
