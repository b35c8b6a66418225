# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tree, and the distances of its classes."""

from collections.abc import Iterable, Sequence
import dataclasses
import functools

from jaxtyping import Bool, Int32
import numpy as np

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import topology
from hafjax.numerics.numbers import is_int

# Of class distances, see `Hierarchy.distances`.
KINDS = ('lca_height', 'lca_depth')


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
    checks.check_sep(sep)
    source = records.Source('path')

    def given():
      for i, path in enumerate(checks.items(paths, 'paths')):
        names = (
          path.split(sep) if isinstance(path, str) else checks.strings(path)
        )
        if names is None:
          raise source.error(
            i,
            f'expected a string or a sequence of names, got {quote(path)}',
          )
        yield names

    return assemble(records.of_paths(given(), source))

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
    source = records.Source('edge')

    def given():
      for i, edge in enumerate(checks.items(edges, 'edges')):
        names = checks.strings(edge)
        if names is None or len(names) != 2:
          raise source.error(
            i,
            f'expected a pair of names (parent, child), got {quote(edge)}',
          )
        yield names

    return assemble(records.of_edges(given(), source, classes))

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
    parents = checks.checked_parents(parents)
    names = checks.checked_names(names, len(parents))
    checks.check_one_root(parents, names)
    source = records.Listed('names')
    return assemble(records.of_nodes(parents, names, source, classes))

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
      raise checks.HierarchyError(
        f"kind must be 'lca_height' or 'lca_depth', got {quote(kind)}."
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
    self.check_level(level)
    ancestors = np.arange(self.num_nodes, dtype=np.int32)
    for block in self.levels[level + 1 :]:
      ancestors[block] = ancestors[self.parents[block]]
    return topology.by_first_appearance(ancestors[self.leaves])[0]

  def check_level(self, level: int):
    """Raises HierarchyError unless a level is a depth, 0 to `height`."""
    if not is_int(level) or not 0 <= level <= self.height:
      raise checks.HierarchyError(
        f'level must be a whole number from 0 to {self.height}, got '
        f'{quote(level)}.'
      )

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
      raise checks.HierarchyError(
        'level must be at least 1: the root is no class.'
      )
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
    checks.check_sep(sep)
    paths = []
    for nodes in self.node_paths():
      names = [self.node_names[node] for node in nodes]
      paths.append(sep.join(names))
      # Not `sep in name`: '::' comes too early in 'a:' + '::' + 'b'.
      if paths[-1].split(sep) != names:
        raise checks.HierarchyError(
          f'the path {quote(paths[-1])} would be misread, for one of '
          f'its names clashes with {sep!r}; pass another sep.'
        )
    return paths

  def node_paths(self) -> Iterable[list[int]]:
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
    return topology.level_slices(self.node_depths)

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


def assemble(nodes: records.Nodes) -> Hierarchy:
  """The hierarchy of a checked tree."""
  order = topology.breadth_first(nodes.parents, nodes.leaves)
  return Hierarchy(
    node_names=tuple([nodes.names[node] for node in order.nodes.tolist()]),
    parents=order.parents.astype(np.int32),
    leaves=order.leaves.astype(np.int32),
    node_heights=order.heights.astype(np.int32),
    node_depths=order.depths.astype(np.int32),
  )
