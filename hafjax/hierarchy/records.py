# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paths, edges and nodes with names, made a tree; from memory or a file.

The same checks for both, and messages that say where.
"""

from collections.abc import Iterable, Sequence
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import topology

# Records come from generators: a million lists at once would keep Python's
# garbage collector busy for longer than the rest takes.


class Nodes(NamedTuple):
  """A checked tree, its nodes in any order.

  Attributes:
    parents: of the N nodes, -1 for the root.
    names: N names.
    leaves: all nodes without children, in class order.
  """

  parents: Sequence[int] | np.ndarray
  names: Sequence[str]
  leaves: Sequence[int] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Source:
  """Where records come from, for messages.

  Attributes:
    unit: what a record is called: 'path', 'edge', 'line', ...
    file: name of the file; empty for records from memory.
    numbers: of each record, as it is named in its file; None counts from 1.
  """

  unit: str
  file: str = ''
  numbers: Sequence[int | str] | None = None

  def name(self, i: int) -> str:
    """As in "line 4"."""
    return f'{self.unit} {i + 1 if self.numbers is None else self.numbers[i]}'

  def at(self, i: int) -> str:
    """As in "is already on line 4"."""
    return f'{"on" if self.unit == "line" else "in"} {self.name(i)}'

  def error(self, i: int, problem: str) -> checks.HierarchyError:
    """What is wrong with record i."""
    start = f'{self.file}, ' if self.file else ''
    return checks.HierarchyError(f'{start}{self.name(i)}: {problem}.')

  def no_classes(self) -> checks.HierarchyError:
    return checks.HierarchyError(f'{self.file or self.unit + "s"}: no classes.')


def of_paths(records: Iterable[Sequence[str]], source: Source) -> Nodes:
  """The tree of lists of names, root first, one for each class."""
  nodes, names, parents, first_record = {}, [], [], []
  record_of, leaves = {}, []
  for i, path in enumerate(records):
    for name in path:
      if not name.strip():
        raise source.error(i, f'empty name in {quote("/".join(path))}')
    if len(path) < 2:
      raise source.error(
        i,
        f'{quote("/".join(path))} is one name only, but a path '
        'leads from the root to a class',
      )
    if names and path[0] != names[0]:
      raise source.error(
        i,
        f'several roots: {quote(path[0])} here and '
        f'{quote(names[0])} {source.at(0)}',
      )
    other = record_of.setdefault(path[-1], i)
    if other != i:
      raise source.error(
        i, f'class {quote(path[-1])} is already {source.at(other)}'
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
  return Nodes(parents, names, leaves)


def _check_no_inner_class(names, parents, leaves, first_record, source):
  """Raises if the path of a class goes on in another path."""
  inner = set(parents)
  for i, leaf in enumerate(leaves):
    if leaf not in inner:
      continue
    # The first child in the list is the one that was made first.
    other = first_record[parents.index(leaf)]
    name = quote(names[leaf])
    if i > other:
      raise source.error(
        i, f'class {name} is also an inner node, {source.at(other)}'
      )
    raise source.error(
      other, f'inner node {name} is also a class, {source.at(i)}'
    )


def of_edges(
  records: Iterable[Sequence[str]], source: Source, classes: Any = None
) -> Nodes:
  """The tree of (parent, child) lists of names.

  Args:
    records: in any order.
    source: of the records.
    classes: all leaves in class order; by default in that of the records.
  """
  nodes, parents, record_of = {}, [], []
  for i, edge in enumerate(records):
    if not all(name.strip() for name in edge):
      raise source.error(i, f'empty name in the edge {checks.chain(edge)}')
    for name in edge:
      if nodes.setdefault(name, len(nodes)) == len(parents):
        parents.append(-1)
        record_of.append(i)
    parent, child = (nodes[name] for name in edge)
    if parents[child] == parent:
      raise source.error(
        i,
        f'the edge from {quote(edge[0])} to {quote(edge[1])} is '
        f'already {source.at(record_of[child])}',
      )
    if parents[child] >= 0:
      other = list(nodes)[parents[child]]
      raise source.error(
        i,
        f'{quote(edge[1])} has two parents: {quote(edge[0])} '
        f'here and {quote(other)} {source.at(record_of[child])}',
      )
    parents[child] = parent
    # From here on the edge that leads to the node; for roots, their first one.
    record_of[child] = i
  if not nodes:
    raise source.no_classes()
  names, parents = list(nodes), np.array(parents)
  cycle = topology.cycle(parents)
  if cycle:
    way_down = checks.chain(names[node] for node in cycle[::-1])
    raise source.error(
      max(record_of[node] for node in cycle),
      f'this edge closes a cycle, {way_down}',
    )
  roots = np.flatnonzero(parents < 0).tolist()
  if len(roots) > 1:
    raise source.error(
      record_of[roots[1]],
      f'several roots: {quote(names[roots[1]])} here and '
      f'{quote(names[roots[0]])} {source.at(record_of[roots[0]])}',
    )
  inner = set(parents.tolist())
  leaf_of = {name: node for node, name in enumerate(names) if node not in inner}
  return Nodes(parents, names, checks.class_leaves(leaf_of, names, classes))


class Listed(Source):
  """Nodes that are given as a list of names."""

  def name(self, i: int) -> str:
    return f'{self.unit}[{i}]'

  def at(self, i: int) -> str:
    return f'at {self.name(i)}'


def of_nodes(
  parents: np.ndarray,
  names: Sequence[str],
  source: Source,
  classes: Any = None,
  where: str = '',
) -> Nodes:
  """The tree of nodes that have parents and names.

  Args:
    parents: int64[N], one of them -1, no cycles.
    names: N names, none of them empty.
    source: of the nodes.
    classes: all leaves in class order; by default in that of the nodes.
    where: what `classes` belongs to, for messages.
  """
  is_leaf = np.ones(len(parents), bool)
  is_leaf[parents[parents >= 0]] = False
  leaf_of = {}
  for leaf in np.flatnonzero(is_leaf).tolist():
    other = leaf_of.setdefault(names[leaf], leaf)
    if other != leaf:
      raise source.error(
        leaf, f'class {quote(names[leaf])} is already {source.at(other)}'
      )
  _check_siblings(parents, names, source)
  leaves = checks.class_leaves(leaf_of, names, classes, where)
  return Nodes(parents, names, leaves)


def _check_siblings(parents, names, source):
  """Raises if a node has two children of one name: their paths are the same."""
  if len(set(names)) == len(names):
    return
  seen = {}
  for node, key in enumerate(zip(parents.tolist(), names, strict=True)):
    other = seen.setdefault(key, node)
    if other != node:
      raise source.error(
        node,
        f'{quote(names[node])} is already {source.at(other)}, below the '
        'same parent',
      )
