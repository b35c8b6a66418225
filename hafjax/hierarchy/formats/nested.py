# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Nested JSON, in either of two shapes, or both.

Names and children, as D3 has them; other keys are ignored:

    {"name": "root", "children": [
      {"name": "mammal", "children": [{"name": "wolf"}, "dog"]},
      {"name": "car"}
    ]}

Names that lead to children, which are an object, a list of names and objects,
or nothing (null, {} or []):

    {"root": {"mammal": ["wolf", "dog"], "car": null}}

An object is of the first shape if its "name" is a string. Nodes without
children are the classes, in the order of the file; or as the outermost object
of the first shape lists them: "classes": ["wolf", "car", "dog"]. Python's
reader of JSON recurses: trees of more than some hundred levels are refused.
"""

from collections.abc import Sequence
import dataclasses
import json
import re
from typing import Any

import numpy as np

from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import topology
from hafjax.hierarchy import tree

# Python's reader of JSON recurses, and gives up at about 1,000 brackets. A
# level that is written has two, and the caller's stack counts, too.
_MAX_LEVELS = 300
_SURROGATE = re.compile('[\ud800-\udfff]')


class _Object(dict):
  """A JSON object.

  Attributes:
    repeated: a key that stands in it twice, or None.
  """

  repeated: str | None = None


@dataclasses.dataclass(frozen=True)
class _Nodes(records.Source):
  """Nodes so far, parents first; messages name them by their paths."""

  parents: list[int] = dataclasses.field(default_factory=list)
  names: list[str] = dataclasses.field(default_factory=list)

  def name(self, i: int) -> str:
    """As in "at 'root' > 'wolf'"; -1 stands for what no node is above."""
    path = []
    while i >= 0:
      path.append(self.names[i])
      i = self.parents[i]
    return f'at {checks.chain(path[::-1])}' if path else 'at the top'

  def at(self, i: int) -> str:
    return self.name(i)

  def add(self, name: str, parent: int) -> int:
    """Adds a node; returns its index."""
    if not name.strip():
      raise self.error(parent, 'empty name')
    if _SURROGATE.search(name):
      raise self.error(parent, f'{quote(name)} is not text')
    self.parents.append(parent)
    self.names.append(name)
    return len(self.names) - 1


def read(text: str, file: str) -> tree.Hierarchy:
  """Reads nested JSON.

  Raises:
    HierarchyError: it is not JSON, an object has a key twice, brackets are
      nested deeper than Python's reader goes (about 1,000), or it is no tree.
  """
  source = _Nodes('node', file)
  top, repeated = _parse(text, file, source)
  if not isinstance(top, _Object):
    raise source.error(-1, f'expected an object, got {_describe(top)}')
  _add_nodes(top, source)
  if repeated:  # In a value that is ignored otherwise.
    raise checks.HierarchyError(
      f'{file}: the key {quote(repeated[0])} stands twice in one object.'
    )
  parents, names = source.parents, source.names
  roots = [node for node, parent in enumerate(parents) if parent < 0]
  if len(roots) > 1:
    a, b = roots[:2]
    raise checks.HierarchyError(
      f'{file}: several roots, {quote(names[a])} and {quote(names[b])}; put '
      'them below one.'
    )
  if len(parents) < 2:
    raise source.no_classes()
  return tree.assemble(
    records.of_nodes(
      np.array(parents), names, source, _classes(top, file), f'{file}: '
    )
  )


def _parse(text: str, file: str, source: _Nodes) -> tuple[Any, list[str]]:
  """The value of a text, and keys that stand twice in an object."""
  if not text.strip():
    raise source.no_classes()
  repeated = []

  def to_object(pairs):
    result = _Object(pairs)
    if len(result) < len(pairs):
      seen = set()
      result.repeated = next(k for k, _ in pairs if k in seen or seen.add(k))
      repeated.append(result.repeated)
    return result

  try:
    return json.loads(text, object_pairs_hook=to_object), repeated
  except json.JSONDecodeError as error:
    raise checks.HierarchyError(
      f'{file}, line {error.lineno}, column {error.colno}: this is not JSON '
      f'({error.msg}).'
    ) from None
  except RecursionError:
    raise checks.HierarchyError(
      f"{file}: it is nested deeper than Python's reader of JSON goes; write "
      'the tree in another format, such as Newick.'
    ) from None
  except ValueError as error:  # A number of thousands of digits.
    raise checks.HierarchyError(
      f'{file}: this is not JSON ({describe_error(error)}).'
    ) from None


def _describe(value: Any) -> str:
  """As in "expected a name, got ..."."""
  if not isinstance(value, dict | list):
    return 'null' if value is None else quote(value)
  kind = 'object' if isinstance(value, dict) else 'array'
  return f'an {kind}' if value else f'an empty {kind}'


def _add_nodes(top: _Object, source: _Nodes) -> None:
  """Adds all nodes, depth first in the order of the file."""
  # To come, the next one last: the name of a node, what it has, and its parent;
  # or None, a value that is a node or has nodes, and their parent.
  todo = [(None, top, -1)]
  while todo:
    name, value, parent = todo.pop()
    if name is not None:
      node = source.add(name, parent)
      children = _children(value, node, source)
      todo.extend((None, child, node) for child in reversed(children))
    elif isinstance(value, str):
      source.add(value, parent)
    elif not isinstance(value, _Object):
      raise source.error(
        parent, f'expected a name or an object, got {_describe(value)}'
      )
    elif value.repeated is not None:
      raise source.error(
        parent, f'the key {quote(value.repeated)} stands twice in one object'
      )
    elif _has_name(value):
      todo.append((value['name'], value.get('children'), parent))
    else:
      todo.extend((*item, parent) for item in reversed(value.items()))


def _has_name(value: _Object) -> bool:
  """Whether an object is of the first shape."""
  return isinstance(value.get('name'), str)


def _children(value: Any, node: int, source: _Nodes) -> Sequence[Any]:
  """Values that are nodes or have nodes."""
  if isinstance(value, list):
    return value
  if isinstance(value, dict):
    return [value]
  if value is None:
    return []
  raise source.error(
    node,
    f'the children must be an object, a list or null, got {_describe(value)}',
  )


def _classes(top: _Object, file: str) -> list | None:
  """The class order, where the outermost object has one."""
  if not _has_name(top) or 'classes' not in top:
    return None
  if not isinstance(top['classes'], list):
    raise checks.HierarchyError(
      f'{file}: "classes" must be a list of names, got '
      f'{_describe(top["classes"])}.'
    )
  return top['classes']


def write(hierarchy: tree.Hierarchy) -> str:
  """JSON of the first shape, with "classes" if the tree tells no order.

  Raises:
    HierarchyError: without a full stop, if the tree is too deep to be read
      back.
  """
  if hierarchy.height > _MAX_LEVELS:
    raise checks.HierarchyError(
      f'the tree has {hierarchy.height:,} levels, and JSON of more than '
      f'{_MAX_LEVELS} cannot be read back; write it in another format, such as '
      'Newick'
    )
  starts = topology.child_starts(hierarchy.parents)
  order = topology.depth_first(hierarchy.parents)
  depths, leaves = hierarchy.node_depths.tolist(), hierarchy.leaves.tolist()
  in_order = [node for node in order if starts[node] == starts[node + 1]]
  lines = []
  for i, node in enumerate(order):
    depth = depths[node]
    line = '  ' * depth + '{"name": '
    line += json.dumps(hierarchy.node_names[node], ensure_ascii=False)
    if not node and in_order != leaves:
      names = json.dumps(hierarchy.class_names, ensure_ascii=False)
      line += f', "classes": {names}'
    following = depths[order[i + 1]] if i + 1 < len(order) else 0
    if starts[node] < starts[node + 1]:
      line += ', "children": ['
    else:
      line += '}' + ']}' * (depth - following)
      line += ',' if i + 1 < len(order) else ''
    lines.append(line)
  return '\n'.join(lines) + '\n'
