# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A hierarchy in words: its numbers, its tree, and its problems."""

from collections.abc import Iterable, Sequence

import numpy as np

from hafjax.files.text import quote
from hafjax.hierarchy import topology
from hafjax.hierarchy import tree

_LISTED = 12
_MAX_TREE_LINES = 200
_MAX_INDENT = 40
_EXAMPLES = 3


def _listed(items: Iterable[str]) -> str:
  """Joins items by commas, those in the middle left out if there are many."""
  items = list(items)
  if len(items) > _LISTED:
    items[_LISTED - 2 : -1] = ['...']
  return ', '.join(items)


def _tree_lines(hierarchy: tree.Hierarchy) -> Iterable[str]:
  """Yields a line for each node, depth first."""
  class_of = {leaf: k for k, leaf in enumerate(hierarchy.leaves.tolist())}
  for node in topology.depth_first(hierarchy.parents):
    # A tree of 100,000 levels would be gigabytes of blanks.
    indent = '  ' * min(int(hierarchy.node_depths[node]), _MAX_INDENT)
    label = f'  [{class_of[node]}]' if node in class_of else ''
    name = hierarchy.node_names[node]
    # A file may come from anywhere, and terminals obey control characters.
    yield f'{indent}{name if name.isprintable() else quote(name)}{label}'


def problems(hierarchy: tree.Hierarchy) -> list[str]:
  """What is allowed in a hierarchy, and often not meant.

  Args:
    hierarchy: what to look at.

  Returns:
    A sentence for each kind of problem: levels with a single child, classes of
    different depth, names that inner nodes share, classes called as inner nodes
    are, and names that only case or blanks tell apart.
  """
  names = hierarchy.node_names
  num_children = np.bincount(hierarchy.parents[1:], minlength=len(names))
  inner = np.flatnonzero(num_children).tolist()
  inner_names = [names[node] for node in inner]
  found = [
    _count(
      [names[node] for node in inner if num_children[node] == 1],
      'inner node has a single child',
      'inner nodes have a single child',
      'such a level tells no classes apart',
    ),
    _ragged(hierarchy),
    _count(
      _repeated(inner_names),
      'name is shared by several inner nodes',
      'names are shared by several inner nodes',
      'edges (.tsv) cannot hold them',
    ),
    _count(
      sorted(set(hierarchy.class_names) & set(inner_names)),
      'class is called as an inner node is',
      'classes are called as inner nodes are',
      'edges (.tsv) cannot hold them',
    ),
    _count(
      _alike(names),
      'name differs from another in case or blanks only',
      'names differ from others in case or blanks only',
      'they are different nodes',
    ),
  ]
  return [sentence for sentence in found if sentence]


def _count(names: Sequence[str], one: str, many: str, why: str) -> str:
  if not names:
    return ''
  what = f'1 {one}' if len(names) == 1 else f'{len(names):,} {many}'
  examples = ', '.join(quote(name) for name in names[:_EXAMPLES])
  more = ', ...' if len(names) > _EXAMPLES else ''
  return f'{what} ({examples}{more}): {why}.'


def _ragged(hierarchy: tree.Hierarchy) -> str:
  depths = hierarchy.node_depths[hierarchy.leaves]
  if depths.min() == depths.max():
    return ''
  return (
    f'Classes lie at depths {depths.min():,} to {depths.max():,}: their '
    "distances by 'lca_height' and 'lca_depth' may differ."
  )


def _repeated(names: Iterable[str]) -> list[str]:
  counts = {}
  for name in names:
    counts[name] = counts.get(name, 0) + 1
  return [name for name, count in counts.items() if count > 1]


def _alike(names: Iterable[str]) -> list[str]:
  first = {}
  return [
    name
    for name in dict.fromkeys(names)
    if first.setdefault(''.join(name.split()).casefold(), name) != name
  ]


def summary(
  hierarchy: tree.Hierarchy, all_nodes: bool = False
) -> Iterable[str]:
  """Describes a hierarchy.

  Args:
    hierarchy: what to describe.
    all_nodes: whether to list all nodes; by default the first 200.

  Yields:
    lines: numbers first, then the tree, with class indices in brackets, then
    its `problems`. Below 40 levels the tree is not indented any further.
  """
  yield from _numbers(hierarchy)
  yield ''
  limit = hierarchy.num_nodes if all_nodes else _MAX_TREE_LINES
  for i, line in enumerate(_tree_lines(hierarchy)):
    if i == limit:
      yield f'... and {hierarchy.num_nodes - limit:,} more nodes (see --all)'
      break
    yield line
  found = problems(hierarchy)
  yield ''
  yield 'problems: ' + (f'{len(found)}' if found else 'none')
  for sentence in found:
    yield f'- {sentence}'


def _numbers(hierarchy: tree.Hierarchy) -> Iterable[str]:
  level_sizes = np.bincount(hierarchy.node_depths)
  height_sizes = np.bincount(hierarchy.node_heights)
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
  yield f'nodes by height  {_listed(f"{size:,}" for size in height_sizes)}'
