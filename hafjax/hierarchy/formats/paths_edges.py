# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Class paths and edges: a line of names each.

Blank lines and lines that start with `#` are skipped, and the white space
around a name is not part of it.
"""

from collections.abc import Iterable
import re

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import text as text_lib

# A slash in a name, such as F-16A/B, is written `\/`.
_SLASH = re.compile(r'(?<!\\)/')


def read_paths(text: str, file: str) -> tree.Hierarchy:
  """Reads `root/mammal/wolf`, a line a class, in class order."""
  source = records.Source('line', file, [])
  paths = map(_path, text_lib.lines(text, source))
  return tree.assemble(records.of_paths(paths, source))


def _path(line: str) -> list[str]:
  if '\\' not in line:  # As almost always, and several times as fast.
    return [name.strip() for name in line.split('/')]
  return [name.replace('\\/', '/').strip() for name in _SLASH.split(line)]


def write_paths(hierarchy: tree.Hierarchy) -> str:
  """The text that `read_paths` reads."""
  names = []
  for name in hierarchy.node_names:
    text_lib.check_line_name(name)
    if name.endswith('\\'):
      raise checks.HierarchyError(
        f'the name {quote(name)} ends with a backslash, which would '
        'hide the slash after it'
      )
    names.append(name.replace('/', '\\/'))
  return _joined(
    ([names[n] for n in path] for path in hierarchy.node_paths()), '/'
  )


def read_edges(text: str, file: str) -> tree.Hierarchy:
  """Reads `mammal<tab>wolf`; leaves are classes, in order of appearance."""
  source = records.Source('line', file, [])
  edges = text_lib.columns(text, source)
  return tree.assemble(records.of_edges(edges, source))


def write_edges(hierarchy: tree.Hierarchy) -> str:
  """Edges such that the leaves first appear in class order."""
  names = hierarchy.node_names
  seen = set()
  for name in names:
    text_lib.check_line_name(name)
    if '\t' in name:
      raise checks.HierarchyError(
        f"the name {quote(name)} contains '\\t', which separates names"
      )
    if name in seen:
      raise checks.HierarchyError(
        f'two nodes are called {quote(name)}, which edges cannot tell apart'
      )
    seen.add(name)
  return _joined(_edges(hierarchy), '\t')


def _edges(hierarchy: tree.Hierarchy) -> Iterable[list[str]]:
  names, parents = hierarchy.node_names, hierarchy.parents.tolist()
  written = {0}
  for leaf in hierarchy.leaves.tolist():
    way_up = []
    while leaf not in written:
      written.add(leaf)
      way_up.append([names[parents[leaf]], names[leaf]])
      leaf = parents[leaf]
    yield from reversed(way_up)


def _joined(rows: Iterable[list[str]], separator: str) -> str:
  lines = []
  for names in rows:
    if names[0].startswith('#'):
      raise checks.HierarchyError(
        f'a line that starts with {quote(names[0])} is read as a comment'
      )
    lines.append(separator.join(names) + '\n')
  return ''.join(lines)
