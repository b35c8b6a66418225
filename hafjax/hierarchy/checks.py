# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is given is checked, so that nothing fails further down."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from hafjax.errors import UserError
from hafjax.files.text import quote
from hafjax.hierarchy import topology


class HierarchyError(UserError):
  """What is wrong with a hierarchy, and where, in one sentence."""


def chain(names: Iterable[str]) -> str:
  """Names of a way through the tree, its middle left out if long."""
  names = [quote(name) for name in names]
  if len(names) > 8:
    names[4:-3] = ['...']
  return ' > '.join(names)


def items(values: Any, what: str) -> list:
  """The items of an ordered collection."""
  # A string would be taken apart, and a set has no order for the classes.
  if not isinstance(values, str | bytes | Set | Mapping):
    try:
      return list(values)
    except TypeError:
      pass
  raise HierarchyError(f'{what} must be a sequence, got {quote(values)}.')


def check_sep(sep: Any) -> None:
  if not isinstance(sep, str) or not sep:
    raise HierarchyError(
      f'sep must be a string of a character or more, got {quote(sep)}.'
    )


def strings(values: Any) -> list[str] | None:
  """A list of plain strings; None for anything else."""
  try:
    given = items(values, '')
  except HierarchyError:
    return None
  if not all(isinstance(item, str) for item in given):
    return None
  return [str(item) for item in given]


def checked_parents(parents: Any) -> np.ndarray:
  """Parents as int64[N], each of them -1..N-1."""
  if not hasattr(parents, '__array__'):
    parents = items(parents, 'parents')
  try:
    array = np.asarray(parents)
  except (ValueError, OverflowError):
    array = np.empty(0, object)
  if array.ndim == 1 and not len(parents):
    raise HierarchyError('parents: there are no classes, for there is no node.')
  if array.ndim != 1 or array.dtype.kind not in 'iu':
    raise HierarchyError(
      'parents must be whole numbers of shape [N], -1 for the root, got '
      f'{quote(parents)}.'
    )
  outside = np.flatnonzero((array < -1) | (array >= len(array)))
  if len(outside):
    i = outside[0]
    raise HierarchyError(
      f'parents[{i}] is {array[i]}, but the nodes are 0 to {len(array) - 1}, '
      'and -1 stands for no parent.'
    )
  return array.astype(np.int64)


def checked_names(names: Any, num_nodes: int) -> list[str]:
  names = items(names, 'names')
  if len(names) != num_nodes:
    raise HierarchyError(
      f'names has {len(names):,} items, but parents has {num_nodes:,}.'
    )
  for i, name in enumerate(names):
    if not isinstance(name, str):
      raise HierarchyError(f'names[{i}] must be a string, got {quote(name)}.')
    if not name.strip():
      raise HierarchyError(f'names[{i}] is an empty name.')
  return [str(name) for name in names]


def class_leaves(
  leaf_of: Mapping[str, int],
  names: Sequence[str],
  classes: Any,
  where: str = '',
) -> list[int]:
  """Leaves in class order: as in `leaf_of`, unless `classes` says otherwise.

  `where` is what `classes` belongs to, for messages: 'tree.json: '.
  """
  if classes is None:
    return list(leaf_of.values())
  seen = {}
  for i, name in enumerate(items(classes, f'{where}classes')):
    if not isinstance(name, str):
      raise HierarchyError(
        f'{where}classes[{i}] must be a string, got {quote(name)}.'
      )
    if name in seen:
      raise HierarchyError(
        f'{where}classes[{i}]: class {quote(name)} is already at '
        f'classes[{seen[name]}].'
      )
    if name not in leaf_of:
      problem = (
        'an inner node, not a leaf' if name in set(names) else 'not in the tree'
      )
      raise HierarchyError(f'{where}classes[{i}]: {quote(name)} is {problem}.')
    seen[str(name)] = i
  for name in leaf_of:
    if name not in seen:
      raise HierarchyError(
        f'{where}classes: the leaf {quote(name)} is missing; every leaf is a '
        'class.'
      )
  return [leaf_of[name] for name in seen]


def check_one_root(parents: np.ndarray, names: Sequence[str]) -> None:
  """Raises HierarchyError unless there is one root, with nodes below it."""
  roots = np.flatnonzero(parents < 0)
  cycle = topology.cycle(parents)
  if cycle:
    raise HierarchyError(
      f'parents[{cycle[0]}]: node {cycle[0]} is its own ancestor '
      f'({chain(names[node] for node in cycle)}).'
    )
  if len(roots) > 1:
    a, b = roots[:2]
    raise HierarchyError(
      f'parents: there are {len(roots):,} roots (-1), such as nodes {a} '
      f'({quote(names[a])}) and {b} ({quote(names[b])}), but a '
      'tree has one.'
    )
  if len(parents) == 1:
    raise HierarchyError(
      'parents: there are no classes, only a root; a class has a node above it.'
    )
