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
of the first shape lists them: "classes": ["wolf", "car", "dog"].
"""

import json

import numpy as np

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import topology
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import json_tokens

# A tree of 100,000 levels would be gigabytes of blanks.
_MAX_INDENT = 40


def read(text: str, file: str) -> tree.Hierarchy:
  """Reads nested JSON."""
  values = json_tokens.parse(text, file)
  source = records.Source('line', file, [])
  top = values[0]
  if top.kind != 'object':
    raise checks.HierarchyError(
      f'{file}, line {top.line}: expected an object, got {top.shown()}.'
    )
  parents, names = _nodes(values, source)
  roots = [node for node, parent in enumerate(parents) if parent < 0]
  if len(roots) > 1:
    a, b = roots[:2]
    raise source.error(
      b,
      f'several roots: {quote(names[b])} here and '
      f'{quote(names[a])} {source.at(a)}; put them below one',
    )
  if len(parents) < 2:
    raise source.no_classes()
  classes = _classes(values, file)
  parents = np.array(parents)
  where = f'{file}: '
  return tree.assemble(records.of_nodes(parents, names, source, classes, where))


def _nodes(values, source) -> tuple[list[int], list[str]]:
  """Parents and names, depth first; tells `source` their lines."""
  parents, names = [], []

  def add(name, line, parent):
    source.numbers.append(line)
    parents.append(parent)
    names.append(name)
    if not name.strip():
      raise source.error(len(names) - 1, 'empty name')
    return len(names) - 1

  # Nodes to come, the next one last: a name, its line, the index of what it
  # has, and its parent; or None, 0, the index of what it is, and its parent.
  todo = [(None, 0, 0, -1)]
  while todo:
    name, line, index, parent = todo.pop()
    if name is not None:
      node = add(name, line, parent)
      children = _children(values, index, node, name, source)
      todo.extend((None, 0, child, node) for child in children)
      continue
    value = values[index]
    if value.kind == 'string':
      add(value.scalar, value.line, parent)
    elif value.kind == 'object':
      fields = _fields(value)
      if _has_name(values, fields):
        own = values[fields['name']]
        todo.append((own.scalar, own.line, fields.get('children'), parent))
      else:
        todo.extend(
          (*value.keys[i], value.items[i], parent)
          for i in reversed(range(len(value.keys)))
        )
    else:
      source.numbers.append(value.line)
      raise source.error(
        len(names), f'expected a name or an object, got {value.shown()}'
      )
  return parents, names


def _fields(value) -> dict[str, int]:
  keys = [key for key, _ in value.keys]
  return dict(zip(keys, value.items, strict=True))


def _has_name(values, fields) -> bool:
  """Whether an object is of the first shape."""
  return 'name' in fields and values[fields['name']].kind == 'string'


def _children(values, index, node, name, source) -> list[int]:
  """The values that are nodes or have them, the last one first."""
  if index is None:
    return []
  value = values[index]
  if value.kind == 'array':
    return value.items[::-1]
  if value.kind == 'object':
    return [index]
  if value.kind == 'other' and value.scalar is None:
    return []
  raise source.error(
    node,
    f'the children of {quote(name)} must be an object, a list or null, '
    f'got {value.shown()}',
  )


def _classes(values, file) -> list | None:
  """What the outermost object says of the order of classes."""
  fields = _fields(values[0])
  if not _has_name(values, fields) or 'classes' not in fields:
    return None
  value = values[fields['classes']]
  if value.kind != 'array':
    raise checks.HierarchyError(
      f'{file}, line {value.line}: "classes" must be a list of names, got '
      f'{value.shown()}.'
    )
  return [values[item].scalar for item in value.items]


def write(hierarchy: tree.Hierarchy) -> str:
  """JSON of the first shape, with "classes" if the tree tells no order."""
  starts = topology.child_starts(hierarchy.parents)
  order = topology.depth_first(hierarchy.parents)
  depths, leaves = hierarchy.node_depths.tolist(), hierarchy.leaves.tolist()
  in_order = [node for node in order if starts[node] == starts[node + 1]]
  lines = []
  for i, node in enumerate(order):
    depth = depths[node]
    line = '  ' * min(depth, _MAX_INDENT) + '{"name": '
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
