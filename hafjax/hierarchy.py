# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Class hierarchies: trees, their distances, and the files they live in.

    python -m hafjax.hierarchy cifar100        # or a file: a summary and a tree

A hierarchy is a rooted tree whose leaves are the K classes. Definitions follow
HAFrame, arXiv 2303.05689: the height of a node is the number of edges on the
longest way down to a leaf, and two classes are as far apart as their lowest
common ancestor (LCA) is high. Leaves may lie at different depths, and nodes
with a single child count as a level.

Two file formats are known (more are one row in `_FORMATS`):

    paths (.txt)  one class a line, `root/mammal/wolf`, in class order
    edges (.tsv)  one edge a line, `mammal<tab>wolf`; the classes are the leaves
                  in order of first appearance

Both are UTF-8; blank lines and lines that start with `#` are skipped, and the
white space around a name is not part of it.
"""

import argparse
import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
import dataclasses
import functools
from importlib import resources
import os
import pathlib
import sys
from typing import Any, NamedTuple
import uuid

from jaxtyping import Bool, Int32
import numpy as np

PathLike = str | os.PathLike[str]


# Of class distances, see `Hierarchy.distances`.
KINDS = ('lca_height', 'lca_depth')


class HierarchyError(ValueError):
  """What is wrong with a hierarchy, and where, in one sentence."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hierarchy:
  """A rooted tree whose leaves are classes; immutable.

  Made by `from_paths`, `from_edges`, `from_parents` or `load_hierarchy`, which
  check their input; the constructor itself trusts its arguments.

  Nodes stand in breadth-first order: the root, its children, their children,
  siblings in the order of their first class. So the order depends on the tree
  and on the class order alone, however the hierarchy was made; a level is a
  contiguous block; and `parents` never decreases, which lets children be sliced
  and lets `jax.ops.segment_sum` be told `indices_are_sorted`.

  Two hierarchies are equal when names, classes and tree are; a hierarchy can be
  a key of a dict, or a static argument of `jax.jit`.

  Attributes:
    node_names: names of the N nodes. Inner nodes may share a name.
    parents: parent of each node, int32[N]; -1 for the root, which is node 0.
    leaves: node of each class, int32[K], in class order.
    node_heights: edges on the longest way down to a leaf, int32[N].
    node_depths: edges up to the root, int32[N].
  """

  node_names: tuple[str, ...]
  parents: Int32[np.ndarray, 'n']
  leaves: Int32[np.ndarray, 'k']
  node_heights: Int32[np.ndarray, 'n']
  node_depths: Int32[np.ndarray, 'n']

  def __post_init__(self):
    for name in ('parents', 'leaves', 'node_heights', 'node_depths'):
      array = np.array(getattr(self, name), np.int32)
      array.setflags(write=False)
      object.__setattr__(self, name, array)

  @classmethod
  def from_paths(
    cls, paths: Iterable[str | Sequence[str]], sep: str = '/'
  ) -> 'Hierarchy':
    """Makes a hierarchy from one path per class, root first and class last.

    Two nodes are the same when their whole paths are: an inner name such as
    'other' may occur in several branches, and `node_names` then holds it
    several times. Class names are unique.

    Args:
      paths: for each class, in class order, its names joined by `sep`, or a
        sequence of them. A path has two names or more, so that a class always
        has an inner node above it: ['root/a'] is the smallest tree.
      sep: what separates the names of a path that is a string.

    Raises:
      HierarchyError: a path is no path, has an empty name or only one name; a
        class occurs twice or is an inner node too; the paths do not start from
        the same root; there are none. Paths are counted from 1.
    """
    _check_sep(sep)
    source = _Source('path')

    def records():
      for i, path in enumerate(_items(paths, 'paths')):
        names = path.split(sep) if isinstance(path, str) else _strings(path)
        if names is None:
          raise source.error(
            i, f'expected a string or a sequence of names, got {_quote(path)}'
          )
        yield names

    return _from_path_records(records(), source)

  @classmethod
  def from_edges(
    cls,
    edges: Iterable[Sequence[str]],
    classes: Iterable[str] | None = None,
  ) -> 'Hierarchy':
    """Makes a hierarchy from (parent, child) pairs of names, in any order.

    Args:
      edges: pairs of names. A name is a node, so all names are unique.
      classes: names of all leaves in class order; by default the order in which
        they first appear in `edges`.

    Raises:
      HierarchyError: an edge is no pair of names, or occurs twice; a name is
        empty; a node has two parents or is its own ancestor; there are several
        roots, or no edges; `classes` are not the leaves. Edges are counted from
        1.
    """
    source = _Source('edge')

    def records():
      for i, edge in enumerate(_items(edges, 'edges')):
        names = _strings(edge)
        if names is None or len(names) != 2:
          raise source.error(
            i, f'expected a pair of names (parent, child), got {_quote(edge)}'
          )
        yield names

    return _from_edge_records(records(), source, classes)

  @classmethod
  def from_parents(
    cls,
    parents: Sequence[int] | np.ndarray,
    names: Iterable[str],
    classes: Iterable[str] | None = None,
  ) -> 'Hierarchy':
    """Makes a hierarchy from the parent of each node, in any order of nodes.

    Linear in the number of nodes: a million take about two seconds.

    Args:
      parents: index of each node's parent, ints of shape [N]; -1 for the root.
      names: N names. Inner nodes may share a name, but siblings may not; class
        names are unique.
      classes: names of all leaves in class order; by default as in `names`.

    Raises:
      HierarchyError: `parents` are not whole numbers, or none of -1..N-1; there
        is not exactly one root; a node is its own ancestor; a name is empty or
        no string; a class, or a name among siblings, occurs twice; `classes`
        are not the leaves; there is no edge. Nodes are counted from 0.
    """
    parents = _checked_parents(parents)
    names = _checked_names(names, len(parents))
    roots = np.flatnonzero(parents < 0)
    cycle = _cycle(parents)
    if cycle:
      raise HierarchyError(
        f'parents[{cycle[0]}]: node {cycle[0]} is its own ancestor '
        f'({_chain(names[node] for node in cycle)}).'
      )
    if len(roots) > 1:
      a, b = roots[:2]
      raise HierarchyError(
        f'parents: there are {len(roots):,} roots (-1), such as nodes {a} '
        f'({_quote(names[a])}) and {b} ({_quote(names[b])}), but a tree has '
        'one.'
      )
    if len(parents) == 1:
      raise HierarchyError(
        'parents: there are no classes, only a root; a class has a node above '
        'it.'
      )
    is_leaf = np.ones(len(parents), bool)
    is_leaf[parents[parents >= 0]] = False
    leaves = np.flatnonzero(is_leaf)
    seen = {}
    for leaf in leaves.tolist():
      other = seen.setdefault(names[leaf], leaf)
      if other != leaf:
        raise HierarchyError(
          f'names[{leaf}]: class {_quote(names[leaf])} is already at '
          f'names[{other}].'
        )
    _check_siblings(parents, names)
    return _assemble(parents, names, _class_leaves(seen, names, classes))

  @property
  def num_classes(self) -> int:
    return len(self.leaves)

  @property
  def num_nodes(self) -> int:
    return len(self.parents)

  @property
  def height(self) -> int:
    """Height of the root: the greatest distance of two classes, 1 or more."""
    return int(self.node_heights[0])

  @functools.cached_property
  def class_names(self) -> tuple[str, ...]:
    return tuple(self.node_names[leaf] for leaf in self.leaves.tolist())

  def distances(self, kind: str = 'lca_height') -> Int32[np.ndarray, 'k k']:
    """Distances of all pairs of classes: an ultrametric.

    The two kinds agree where all leaves have the same depth.

    Args:
      kind: 'lca_height', the height of the lowest common ancestor, as described
        with HAFrame (arXiv 2303.05689); or 'lca_depth', the tree's height minus
        the depth of that ancestor (zero between a class and itself), on which
        the results published with tieredImageNet-H rest.

    Returns:
      int32[K, K], symmetric, zero on the diagonal only.

    Raises:
      HierarchyError: `kind` is neither.
    """
    if not isinstance(kind, str) or kind not in KINDS:
      raise HierarchyError(
        f"kind must be 'lca_height' or 'lca_depth', got {_quote(kind)}."
      )
    node_values = self.node_heights
    if kind == 'lca_depth':
      node_values = self.height - self.node_depths
    starts, _ = self._leaf_blocks
    # With the leaves laid out depth first, the LCA of two of them is the
    # highest among the LCAs of the neighbours in between; so rows are running
    # maxima, and the tree's depth costs nothing. The LCA of neighbours m and
    # m + 1 is the parent of the one node that begins at m + 1 and is not its
    # parent's first child.
    later_siblings = 1 + np.flatnonzero(self.parents[1:] == self.parents[:-1])
    gaps = np.zeros(self.num_classes, np.int32)
    gaps[starts[later_siblings]] = node_values[self.parents[later_siblings]]
    position = starts[self.leaves]
    result = np.empty((self.num_classes, self.num_classes), np.int32)
    row = np.empty(self.num_classes, np.int32)
    for k, m in enumerate(position.tolist()):
      np.maximum.accumulate(gaps[m:0:-1], out=row[:m][::-1])
      row[m] = 0
      np.maximum.accumulate(gaps[m + 1 :], out=row[m + 1 :])
      np.take(row, position, out=result[k], mode='clip')
    return result

  def ancestor_matrix(self) -> Bool[np.ndarray, 'k n']:
    """Which nodes lie on the way from each class (included) to the root."""
    starts, counts = self._leaf_blocks
    position = starts[self.leaves][:, None]
    result = position >= starts
    result &= position < starts + counts
    return result

  def level_labels(self, level: int) -> Int32[np.ndarray, 'k']:
    """Labels of the classes when told apart only down to depth `level`.

    Args:
      level: a depth, 0 (all the same) to `height` (all different).

    Returns:
      int32[K]: for each class the index of its ancestor at that depth among the
      distinct ones, in order of first appearance by class. A class whose leaf
      is less deep stands for itself.

    Raises:
      HierarchyError: there is no such level.
    """
    if not _is_int(level) or not 0 <= level <= self.height:
      raise HierarchyError(
        f'level must be a whole number from 0 to {self.height}, got '
        f'{_quote(level)}.'
      )
    ancestors = np.arange(self.num_nodes, dtype=np.int32)
    for block in self.levels[level + 1 :]:
      ancestors[block] = ancestors[self.parents[block]]
    _, first, labels = np.unique(
      ancestors[self.leaves], return_index=True, return_inverse=True
    )
    ranks = np.empty(len(first), np.int32)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks[labels]

  def at_level(self, level: int) -> 'Hierarchy':
    """The tree cut below a depth: classes are the ancestors there.

    Args:
      level: a depth, 1 to `height`. A class whose leaf is less deep stays.

    Returns:
      The upper tree, its classes in the order of `level_labels(level)`.

    Raises:
      HierarchyError: there is no such level, or two of its nodes share a name.
    """
    labels = self.level_labels(level)
    if not level:
      raise HierarchyError('level must be at least 1: the root is no class.')
    _, first = np.unique(labels, return_index=True)
    return Hierarchy.from_paths(
      [
        [self.node_names[node] for node in path[: level + 1] if node >= 0]
        for path in self.path_table[first].tolist()
      ]
    )

  def paths(self, sep: str = '/') -> list[str]:
    """Names from the root down to each class, joined by `sep`, in class order.

    Raises:
      HierarchyError: a name contains `sep`, so that `from_paths` would misread
        its path.
    """
    _check_sep(sep)
    paths = []
    for nodes in self._node_paths():
      names = [self.node_names[node] for node in nodes]
      paths.append(sep.join(names))
      # Not `sep in name`: '::' comes too early in 'a:' + '::' + 'b'.
      if paths[-1].split(sep) != names:
        raise HierarchyError(
          f'the path {_quote(paths[-1])} would be misread, for one of its '
          f'names clashes with {sep!r}; pass another sep.'
        )
    return paths

  def _node_paths(self) -> Iterable[list[int]]:
    """Yields the nodes from the root to each class."""
    parents = self.parents.tolist()
    for node in self.leaves.tolist():
      nodes = []
      while node >= 0:
        nodes.append(node)
        node = parents[node]
      yield nodes[::-1]

  @functools.cached_property
  def levels(self) -> list[slice]:
    """Nodes of depth 0, 1, ..., height."""
    return _level_slices(self.node_depths)

  @functools.cached_property
  def level_starts(self) -> tuple[int, ...]:
    """First node of each level, and N at the end."""
    return (*(block.start for block in self.levels), self.num_nodes)

  @functools.cached_property
  def path_table(self) -> Int32[np.ndarray, 'k l']:
    """Node of each class's path at depths 0 to `height`, int32[K, height + 1].

    -1 below a class that is less deep.
    """
    table = np.full((self.num_classes, self.height + 1), -1, np.int32)
    nodes = self.leaves.copy()
    for depth in range(self.height, -1, -1):
      there = self.node_depths[nodes] == depth
      table[there, depth] = nodes[there]
      nodes[there] = self.parents[nodes[there]]
    table.setflags(write=False)
    return table

  @functools.cached_property
  def _leaf_blocks(self) -> tuple[np.ndarray, np.ndarray]:
    """Where a node's leaves start among those in depth-first order; how many.

    Returns: int64[N], int64[N].
    """
    parents = self.parents.astype(np.int64)  # NumPy's fast way is for these.
    counts = np.zeros(self.num_nodes, np.int64)
    counts[self.leaves] = 1
    for block in self.levels[:0:-1]:
      # A copy, or else NumPy copies all of `counts`, for fear of overlap.
      np.add.at(counts, parents[block], counts[block].copy())
    # Breadth first, siblings are neighbours: the leaves before a node, less
    # those before its first sibling, are those of the siblings in between.
    before = np.cumsum(counts) - counts
    starts = before - before[np.searchsorted(parents, parents)]
    for block in self.levels[1:]:
      starts[block] += starts[parents[block]]
    return starts, counts

  def _content(self) -> tuple:
    return self.node_names, self.parents.tobytes(), self.leaves.tobytes()

  def __eq__(self, other: object) -> bool:
    if not isinstance(other, Hierarchy):
      return NotImplemented
    return self is other or self._content() == other._content()

  @functools.cached_property
  def _hash(self) -> int:
    return hash(self._content())

  def __hash__(self) -> int:
    # Kept, because jax.jit asks at every call.
    return self._hash

  def __reduce__(self):
    # NumPy forgets on pickling that an array is read-only.
    return Hierarchy, tuple(
      getattr(self, field.name) for field in dataclasses.fields(self)
    )

  def __repr__(self) -> str:
    return (
      f'Hierarchy({self.num_classes:,} classes, {self.num_nodes:,} nodes, '
      f'height {self.height:,})'
    )


def _level_slices(sorted_depths: np.ndarray) -> list[slice]:
  """Blocks of equal depth, from 0 on, in an ascending int array."""
  bounds = np.searchsorted(
    sorted_depths, np.arange(int(sorted_depths[-1]) + 2)
  ).tolist()
  return [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _depths(parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _cycle(parents: np.ndarray) -> list[int]:
  """Nodes of one cycle, its least node first and last; empty if none."""
  _, lost = _depths(parents)
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


def _assemble(
  parents: np.ndarray, names: Sequence[str], leaves: Sequence[int]
) -> Hierarchy:
  """Puts a checked tree into breadth-first order.

  Args:
    parents: int[N], one of them negative, no cycles.
    names: N names.
    leaves: all nodes without children, in class order.
  """
  parents = np.asarray(parents, np.int64)
  leaves = np.asarray(leaves, np.int64)
  depths, _ = _depths(parents)
  by_depth = np.argsort(depths, kind='stable')
  levels = [by_depth[block] for block in _level_slices(depths[by_depth])]

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
  return Hierarchy(
    node_names=tuple([names[node] for node in order.tolist()]),
    parents=new_parents,
    leaves=new_index[leaves],
    node_heights=heights[order],
    node_depths=depths[order],
  )


# What is given in memory: checked, so that nothing fails further down.


def _quote(value: Any, limit: int = 60) -> str:
  """A value as it stands in a message: one line, not too long."""
  try:
    text = repr(value)
  except Exception:  # A repr may do anything, and the message matters more.
    text = f'a {type(value).__name__}'
  text = ' '.join(text.split())
  return text if len(text) <= limit else f'{text[: limit - 3]}...'


def _chain(names: Iterable[str]) -> str:
  """Names of a way through the tree, its middle left out if long."""
  names = [_quote(name) for name in names]
  if len(names) > 8:
    names[4:-3] = ['...']
  return ' > '.join(names)


def _is_int(value: Any) -> bool:
  return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _items(values: Any, what: str) -> list:
  """The items of an ordered collection."""
  # A string would be taken apart, and a set has no order for the classes.
  if not isinstance(values, str | bytes | Set | Mapping):
    try:
      return list(values)
    except TypeError:
      pass
  raise HierarchyError(f'{what} must be a sequence, got {_quote(values)}.')


def _check_sep(sep: Any) -> None:
  if not isinstance(sep, str) or not sep:
    raise HierarchyError(
      f'sep must be a string of a character or more, got {_quote(sep)}.'
    )


def _strings(values: Any) -> list[str] | None:
  """A list of plain strings; None for anything else."""
  try:
    items = _items(values, '')
  except HierarchyError:
    return None
  if not all(isinstance(item, str) for item in items):
    return None
  return [str(item) for item in items]


def _checked_parents(parents: Any) -> np.ndarray:
  """Parents as int64[N], each of them -1..N-1."""
  if not hasattr(parents, '__array__'):
    parents = _items(parents, 'parents')
  try:
    array = np.asarray(parents)
  except (ValueError, OverflowError):
    array = np.empty(0, object)
  if array.ndim == 1 and not len(parents):
    raise HierarchyError('parents: there are no classes, for there is no node.')
  if array.ndim != 1 or array.dtype.kind not in 'iu':
    raise HierarchyError(
      'parents must be whole numbers of shape [N], -1 for the root, got '
      f'{_quote(parents)}.'
    )
  outside = np.flatnonzero((array < -1) | (array >= len(array)))
  if len(outside):
    i = outside[0]
    raise HierarchyError(
      f'parents[{i}] is {array[i]}, but the nodes are 0 to {len(array) - 1}, '
      'and -1 stands for no parent.'
    )
  return array.astype(np.int64)


def _checked_names(names: Any, num_nodes: int) -> list[str]:
  names = _items(names, 'names')
  if len(names) != num_nodes:
    raise HierarchyError(
      f'names has {len(names):,} items, but parents has {num_nodes:,}.'
    )
  for i, name in enumerate(names):
    if not isinstance(name, str):
      raise HierarchyError(f'names[{i}] must be a string, got {_quote(name)}.')
    if not name.strip():
      raise HierarchyError(f'names[{i}] is an empty name.')
  return [str(name) for name in names]


def _check_siblings(parents: np.ndarray, names: Sequence[str]) -> None:
  """Raises if a node has two children of one name: their paths are the same."""
  if len(set(names)) == len(names):
    return
  seen = {}
  for node, key in enumerate(zip(parents.tolist(), names, strict=True)):
    other = seen.setdefault(key, node)
    if other != node:
      raise HierarchyError(
        f'names[{node}]: {_quote(names[node])} is already at names[{other}], '
        'below the same parent.'
      )


def _class_leaves(
  leaf_of: Mapping[str, int], names: Sequence[str], classes: Any
) -> list[int]:
  """Leaves in class order: as in `leaf_of`, unless `classes` says otherwise."""
  if classes is None:
    return list(leaf_of.values())
  seen = {}
  for i, name in enumerate(_items(classes, 'classes')):
    if not isinstance(name, str):
      raise HierarchyError(
        f'classes[{i}] must be a string, got {_quote(name)}.'
      )
    if name in seen:
      raise HierarchyError(
        f'classes[{i}]: class {_quote(name)} is already at '
        f'classes[{seen[name]}].'
      )
    if name not in leaf_of:
      problem = (
        'an inner node, not a leaf' if name in set(names) else 'not in the tree'
      )
      raise HierarchyError(f'classes[{i}]: {_quote(name)} is {problem}.')
    seen[str(name)] = i
  for name in leaf_of:
    if name not in seen:
      raise HierarchyError(
        f'classes: the leaf {_quote(name)} is missing; every leaf is a class.'
      )
  return [leaf_of[name] for name in seen]


# Records (paths or edges) from memory or from a file: the same checks for both.
# They come from generators: a million lists at once would keep Python's garbage
# collector busy for longer than the rest takes.


@dataclasses.dataclass(frozen=True)
class _Source:
  """Where records come from, for messages.

  Attributes:
    unit: what a record is called: 'path', 'edge' or 'line'.
    file: name of the file; empty for records from memory.
    numbers: number of each record's line; None counts the records from 1.
  """

  unit: str
  file: str = ''
  numbers: Sequence[int] | None = None

  def name(self, i: int) -> str:
    """As in "line 4"."""
    return f'{self.unit} {i + 1 if self.numbers is None else self.numbers[i]}'

  def at(self, i: int) -> str:
    """As in "is already on line 4"."""
    return f'{"on" if self.unit == "line" else "in"} {self.name(i)}'

  def error(self, i: int, problem: str) -> HierarchyError:
    """What is wrong with record i."""
    start = f'{self.file}, ' if self.file else ''
    return HierarchyError(f'{start}{self.name(i)}: {problem}.')

  def no_classes(self) -> HierarchyError:
    return HierarchyError(f'{self.file or self.unit + "s"}: no classes.')


def _from_path_records(
  records: Iterable[Sequence[str]], source: _Source
) -> Hierarchy:
  """Makes a hierarchy from lists of names, root first."""
  nodes, names, parents, first_record = {}, [], [], []
  record_of, leaves = {}, []
  for i, path in enumerate(records):
    for name in path:
      if not name.strip():
        raise source.error(i, f'empty name in {_quote("/".join(path))}')
    if len(path) < 2:
      raise source.error(
        i,
        f'{_quote("/".join(path))} is one name only, but a path leads from the '
        'root to a class',
      )
    if names and path[0] != names[0]:
      raise source.error(
        i,
        f'several roots: {_quote(path[0])} here and {_quote(names[0])} '
        f'{source.at(0)}',
      )
    other = record_of.setdefault(path[-1], i)
    if other != i:
      raise source.error(
        i, f'class {_quote(path[-1])} is already {source.at(other)}'
      )
    node = -1
    for name in path:
      child = nodes.setdefault((node, name), len(names))
      if child == len(names):
        names.append(name)
        parents.append(node)
        first_record.append(i)
      node = child
    leaves.append(node)
  if not leaves:
    raise source.no_classes()
  _check_no_inner_class(names, parents, leaves, first_record, source)
  return _assemble(parents, names, leaves)


def _check_no_inner_class(names, parents, leaves, first_record, source):
  """Raises if the path of a class goes on in another path."""
  inner = set(parents)
  for i, leaf in enumerate(leaves):
    if leaf not in inner:
      continue
    # The first child in the list is the one that was made first.
    other = first_record[parents.index(leaf)]
    name = _quote(names[leaf])
    if i > other:
      raise source.error(
        i, f'class {name} is also an inner node, {source.at(other)}'
      )
    raise source.error(
      other, f'inner node {name} is also a class, {source.at(i)}'
    )


def _from_edge_records(
  records: Iterable[Sequence[str]], source: _Source, classes: Any = None
) -> Hierarchy:
  """Makes a hierarchy from (parent, child) lists of names."""
  nodes, parents, record_of = {}, [], []
  for i, edge in enumerate(records):
    if not all(name.strip() for name in edge):
      raise source.error(i, f'empty name in the edge {_chain(edge)}')
    for name in edge:
      if nodes.setdefault(name, len(nodes)) == len(parents):
        parents.append(-1)
        record_of.append(i)
    parent, child = (nodes[name] for name in edge)
    if parents[child] == parent:
      raise source.error(
        i,
        f'the edge from {_quote(edge[0])} to {_quote(edge[1])} is already '
        f'{source.at(record_of[child])}',
      )
    if parents[child] >= 0:
      other = list(nodes)[parents[child]]
      raise source.error(
        i,
        f'{_quote(edge[1])} has two parents: {_quote(edge[0])} here and '
        f'{_quote(other)} {source.at(record_of[child])}',
      )
    parents[child] = parent
    # From here on the edge that leads to the node; for roots, their first one.
    record_of[child] = i
  if not nodes:
    raise source.no_classes()
  names, parents = list(nodes), np.array(parents)
  cycle = _cycle(parents)
  if cycle:
    way_down = _chain(names[node] for node in cycle[::-1])
    raise source.error(
      max(record_of[node] for node in cycle),
      f'this edge closes a cycle, {way_down}',
    )
  roots = np.flatnonzero(parents < 0).tolist()
  if len(roots) > 1:
    raise source.error(
      record_of[roots[1]],
      f'several roots: {_quote(names[roots[1]])} here and '
      f'{_quote(names[roots[0]])} {source.at(record_of[roots[0]])}',
    )
  inner = set(parents.tolist())
  leaf_of = {name: node for node, name in enumerate(names) if node not in inner}
  return _assemble(parents, names, _class_leaves(leaf_of, names, classes))


# Files.


def _write_paths(hierarchy: Hierarchy) -> Iterable[list[str]]:
  for nodes in hierarchy._node_paths():
    yield [hierarchy.node_names[node] for node in nodes]


def _write_edges(hierarchy: Hierarchy) -> Iterable[list[str]]:
  """Yields edges such that the leaves first appear in class order."""
  names = hierarchy.node_names
  seen = set()
  for name in names:
    if name in seen:
      raise HierarchyError(
        f'two nodes are called {_quote(name)}, which edges cannot tell apart'
      )
    seen.add(name)
  written = {0}
  for nodes in hierarchy._node_paths():
    for parent, child in zip(nodes[:-1], nodes[1:], strict=True):
      if child not in written:
        written.add(child)
        yield [names[parent], names[child]]


class _Format(NamedTuple):
  """How a hierarchy is written in lines of names.

  Attributes:
    suffix: what the names of such files end in.
    separator: what stands between the names of a line.
    num_columns: names on each line; None for any number.
    read: makes a hierarchy from the names of each line, and their source.
    write: gives the names of each line.
  """

  suffix: str
  separator: str
  num_columns: int | None
  read: Callable[[Iterable[Sequence[str]], _Source], Hierarchy]
  write: Callable[[Hierarchy], Iterable[list[str]]]


_FORMATS = {
  'paths': _Format('.txt', '/', None, _from_path_records, _write_paths),
  'edges': _Format('.tsv', '\t', 2, _from_edge_records, _write_edges),
}


def _format_of(file: pathlib.Path, name: str | None) -> _Format:
  if name is None:
    for known in _FORMATS.values():
      if file.suffix.lower() == known.suffix:
        return known
  elif isinstance(name, str) and name in _FORMATS:
    return _FORMATS[name]
  known = ', '.join(
    f'{name!r} ({row.suffix})' for name, row in _FORMATS.items()
  )
  asked = f'format {_quote(name)} is unknown'
  if name is None:
    asked = f'no format is known by the suffix {file.suffix!r}'
  raise HierarchyError(f'{file}: {asked}; known formats are {known}.')


def builtin_names() -> tuple[str, ...]:
  """Names of the hierarchies that come with hafjax, sorted."""
  folder = resources.files('hafjax').joinpath('hierarchies')
  return tuple(
    sorted(
      file.name.removesuffix('.txt')
      for file in folder.iterdir()
      if file.name.endswith('.txt')
    )
  )


def load_hierarchy(
  name_or_file: PathLike, format: str | None = None
) -> Hierarchy:
  """Loads a built-in hierarchy, or one from a file.

  Args:
    name_or_file: a name from `builtin_names()`, which goes first, or a file; a
      `pathlib.Path` is always a file.
    format: of the file, 'paths' or 'edges'; by default by its suffix.

  Raises:
    HierarchyError: there is no such hierarchy, the file cannot be read, or what
      it says is no hierarchy; names the file and, where there is one, the line.
  """
  if isinstance(name_or_file, str) and name_or_file in builtin_names():
    file = resources.files('hafjax').joinpath(
      'hierarchies', f'{name_or_file}.txt'
    )
    return _parse(file.read_bytes(), f'{name_or_file}.txt', _FORMATS['paths'])
  file = _as_path(name_or_file)
  try:
    content = file.read_bytes()
  except FileNotFoundError:
    raise HierarchyError(
      f'{_quote(str(file), 200)} is neither a built-in hierarchy '
      f'({", ".join(builtin_names())}) nor a file that exists.'
    ) from None
  except (OSError, ValueError) as error:
    raise HierarchyError(
      f'{_quote(str(file), 200)} cannot be read: {_reason(error)}.'
    ) from None
  return _parse(content, str(file), _format_of(file, format))


def _parse(content: bytes, file: str, form: _Format) -> Hierarchy:
  """Makes a hierarchy from the content of a file."""
  content = content.removeprefix(codecs.BOM_UTF8)
  bad = content.find(b'\0')
  if bad < 0:
    try:
      text = content.decode('utf-8')
    except UnicodeDecodeError as error:
      bad = error.start
  if bad >= 0:
    line = content.count(b'\n', 0, bad) + 1
    raise HierarchyError(f'{file}, line {line}: this is not UTF-8 text.')
  source = _Source('line', file, [])

  def records():
    # Not splitlines, which also splits at characters that a name may have.
    for number, line in enumerate(text.split('\n'), 1):
      if not line.strip() or line.startswith('#'):
        continue
      source.numbers.append(number)
      names = [name.strip() for name in line.split(form.separator)]
      if form.num_columns is not None and len(names) != form.num_columns:
        raise source.error(
          len(source.numbers) - 1,
          f'expected {form.num_columns} columns separated by '
          f'{form.separator!r}, got {len(names)}',
        )
      yield names

  return form.read(records(), source)


def save_hierarchy(
  hierarchy: Hierarchy, file: PathLike, format: str | None = None
) -> None:
  """Writes a hierarchy to a file that `load_hierarchy` reads back as it was.

  The file appears at once and whole, or not at all.

  Args:
    hierarchy: what to write.
    file: where to; an older file is replaced.
    format: 'paths' or 'edges'; by default by the file's suffix.

  Raises:
    HierarchyError: the format cannot hold this hierarchy's names, as edges
      cannot when two nodes share one; or the file cannot be written.
  """
  if not isinstance(hierarchy, Hierarchy):
    raise HierarchyError(f'expected a Hierarchy, got {_quote(hierarchy)}.')
  file = _as_path(file)
  form = _format_of(file, format)
  lines = []
  try:
    for name in hierarchy.node_names:
      _check_writable(name, form.separator)
    for names in form.write(hierarchy):
      if names[0].startswith('#'):
        raise HierarchyError(
          f'a line that starts with {_quote(names[0])} is read as a comment'
        )
      lines.append(form.separator.join(names) + '\n')
  except HierarchyError as error:
    raise HierarchyError(f'{file} cannot be written: {error}.') from None
  # In the same folder, for a file can be moved at once only inside a disk.
  part = file.with_name(f'{file.name}.{uuid.uuid4().hex}.part')
  try:
    try:
      part.write_bytes(''.join(lines).encode('utf-8'))
      os.replace(part, file)
    finally:
      part.unlink(missing_ok=True)
  except (OSError, ValueError) as error:
    raise HierarchyError(
      f'{_quote(str(file), 200)} cannot be written: {_reason(error)}.'
    ) from None


def _check_writable(name: str, separator: str) -> None:
  """Raises if a name would be read back as something else."""
  problem = None
  if separator in name:
    problem = f'contains {separator!r}, which separates names'
  elif '\n' in name or '\0' in name:
    problem = 'contains a character that no line can have'
  elif name != name.strip() or name.startswith('\ufeff'):
    problem = 'starts or ends with white space'
  elif any('\ud800' <= character <= '\udfff' for character in name):
    problem = 'cannot be encoded as UTF-8'
  if problem:
    raise HierarchyError(f'the name {_quote(name)} {problem}')


def _as_path(file: Any) -> pathlib.Path:
  try:
    path = pathlib.Path(file)
  except TypeError:
    path = None
  if path is None or not path.name:
    raise HierarchyError(
      f'expected the name of a hierarchy or a file, got {_quote(file)}.'
    )
  return path


def _reason(error: Exception) -> str:
  """Why the operating system refused, without its own punctuation."""
  return str(getattr(error, 'strerror', None) or error).rstrip('.')


# The command.

_LISTED = 12
_MAX_TREE_LINES = 200
_MAX_INDENT = 40


def _listed(items: Iterable[str]) -> str:
  """Joins items by commas, those in the middle left out if there are many."""
  items = list(items)
  if len(items) > _LISTED:
    items[_LISTED - 2 : -1] = ['...']
  return ', '.join(items)


def _tree_lines(hierarchy: Hierarchy) -> Iterable[str]:
  """Yields a line for each node, depth first."""
  first_child = np.searchsorted(
    hierarchy.parents, np.arange(hierarchy.num_nodes + 1)
  ).tolist()
  class_of = {leaf: k for k, leaf in enumerate(hierarchy.leaves.tolist())}
  todo = [0]
  while todo:
    node = todo.pop()
    # A tree of 100,000 levels would be gigabytes of blanks.
    indent = '  ' * min(int(hierarchy.node_depths[node]), _MAX_INDENT)
    label = f'  [{class_of[node]}]' if node in class_of else ''
    yield f'{indent}{hierarchy.node_names[node]}{label}'
    todo.extend(reversed(range(first_child[node], first_child[node + 1])))


def summary(hierarchy: Hierarchy, all_nodes: bool = False) -> Iterable[str]:
  """Describes a hierarchy.

  Args:
    hierarchy: what to describe.
    all_nodes: whether to list all nodes; by default the first 200.

  Yields:
    lines: numbers first, then the tree, with class indices in brackets. Below
    40 levels the tree is not indented any further.
  """
  level_sizes = np.bincount(hierarchy.node_depths)
  leaf_depths = np.bincount(hierarchy.node_depths[hierarchy.leaves])
  num_children = np.bincount(hierarchy.parents[1:])
  yield f'classes          {hierarchy.num_classes:,}'
  yield f'nodes            {hierarchy.num_nodes:,}'
  yield f'height           {hierarchy.height:,}'
  yield f'nodes per level  {_listed(f"{size:,}" for size in level_sizes)}'
  yield f'unary nodes      {np.sum(num_children == 1):,}'
  yield 'leaf depths      ' + _listed(
    f'{depth:,} ({size:,} class{"es" if size > 1 else ""})'
    for depth, size in enumerate(leaf_depths)
    if size
  )
  yield ''
  limit = hierarchy.num_nodes if all_nodes else _MAX_TREE_LINES
  for i, line in enumerate(_tree_lines(hierarchy)):
    if i == limit:
      yield f'... and {hierarchy.num_nodes - limit:,} more nodes (see --all)'
      return
    yield line


def main(argv: Sequence[str] | None = None) -> int:
  """Prints the summary of a hierarchy; returns the exit status."""
  parser = argparse.ArgumentParser(
    prog='python -m hafjax.hierarchy',
    description='Describes a class hierarchy.',
  )
  parser.add_argument(
    'hierarchy', help=f'a file, or one of {", ".join(builtin_names())}'
  )
  parser.add_argument('--format', help=f'one of {", ".join(_FORMATS)}')
  parser.add_argument('--all', action='store_true', help='list all nodes')
  args = parser.parse_args(argv)
  try:
    for line in summary(load_hierarchy(args.hierarchy, args.format), args.all):
      print(line)
    sys.stdout.flush()
  except HierarchyError as error:
    print(error, file=sys.stderr)
    return 1
  except BrokenPipeError:
    # The reader, such as `head`, has seen enough; Python complains at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
  return 0


if __name__ == '__main__':
  sys.exit(main())
