# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Newick, the trees of phylogenetics: `((wolf,dog)mammal,'sports car')root;`

As G. Olsen tells the standard ("Newick's 8:45", 1990), and where it leaves a
choice:

- A name without quotes has no blanks and none of ()[]':;, and its underscores
  stay as they are. In single quotes a name may have anything, a quote doubled.
- Branch lengths are ignored. So are comments in square brackets, which may be
  nested; but `[&class=3]` behind every class is the order of classes, from 0,
  which is otherwise that of the file.
- A root without a name is called 'root'. Other inner nodes without one are
  called 'node 1', 'node 2', ... in the order in which their brackets open,
  without numbers that names in the file have already. Classes have names.
- There is one tree, and a semicolon ends it.
"""

from collections.abc import Iterable
import dataclasses
import re

import numpy as np

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import topology
from hafjax.hierarchy import tree

_TOKEN = re.compile(
  r"(?P<mark>[(),;:])|'(?P<quoted>[^']*(?:''[^']*)*)'"
  r"|(?P<plain>[^\s()\[\]':;,]+)|(?P<comment>\[)|(?P<blank>\s+)"
)
_BRACKET = re.compile(r'[\[\]]')
_CLASS = re.compile(r'\[&class=([0-9]{1,9})\]')
_PLAIN = re.compile(r"[^\s()\[\]':;,]+")

# What may come next, by what came last: an opening bracket or a comma; a
# closing bracket; a name; a colon; a length; the semicolon.
_EXPECTED = {
  'start': ['a class or an opening bracket'],
  'closed': ['a name', "':'"],
  'named': ["':'"],
  'colon': ['the length of a branch'],
  'measured': [],
  'end': ['the end of the file, which has one tree'],
}
_SUBTREE_ENDS = ('closed', 'named', 'measured')


@dataclasses.dataclass(frozen=True)
class _Places(records.Source):
  """Nodes, named by where they begin in the text; `numbers` are offsets."""

  text: str = ''

  def name(self, i: int) -> str:
    return self.place(self.numbers[i])

  def place(self, start: int) -> str:
    """As in "line 1, column 12"."""
    line = self.text.count('\n', 0, start) + 1
    return f'line {line}, column {start - self.text.rfind(chr(10), 0, start)}'

  def at(self, i: int) -> str:
    return f'on {self.name(i)}'

  def error_at(self, start: int, problem: str) -> checks.HierarchyError:
    return checks.HierarchyError(
      f'{self.file}, {self.place(start)}: {problem}.'
    )


def read(text: str, file: str) -> tree.Hierarchy:
  """Reads a tree in Newick.

  Raises:
    HierarchyError: it is no Newick, or no hierarchy; says where.
  """
  source = _Places('node', file, [], text)
  parents, names, class_numbers = _parse(source)
  inner = sorted({*parents} - {-1})
  _name_inner_nodes(names, inner)
  classes = _classes(names, inner, class_numbers, file)
  return tree.assemble(
    records.of_nodes(np.array(parents), names, source, classes)
  )


def _parse(source: _Places) -> tuple[list[int], list[str], dict[int, int]]:
  """Parents, names ('' where there is none), and the number behind a node."""
  parents, names, class_numbers = [], [], {}
  # Inner nodes that are open, the outermost first; the node that a name, a
  # length or a comment belongs to; what came last, a key of `_EXPECTED`.
  stack, node, state = [], -1, 'start'
  for start, kind, token in _tokens(source):
    mark = token if kind == 'mark' else ''
    if kind == 'comment':
      match = _CLASS.fullmatch(token)
      if match and state in ('named', 'measured'):
        class_numbers[node] = int(match[1])
    elif state == 'start' and (mark == '(' or not mark):
      if not mark and not token.strip():
        raise source.error_at(start, 'a class has no name')
      node = len(names)
      names.append('' if mark else token)
      parents.append(stack[-1] if stack else -1)
      source.numbers.append(start)
      if mark:
        stack.append(node)
      else:
        state = 'named'
    elif state == 'closed' and not mark:
      names[node], state = token, 'named'
    elif state in ('closed', 'named') and mark == ':':
      state = 'colon'
    elif state == 'colon' and kind == 'plain' and _is_number(token):
      state = 'measured'
    elif state in _SUBTREE_ENDS and stack and mark == ',':
      state = 'start'
    elif state in _SUBTREE_ENDS and stack and mark == ')':
      node, state = stack.pop(), 'closed'
    elif state in _SUBTREE_ENDS and not stack and mark == ';':
      state = 'end'
    elif state in _SUBTREE_ENDS and mark == ';':  # Within a bracket.
      break
    else:
      raise source.error_at(start, _unexpected(state, stack, mark, token))
  if stack:
    raise source.error(stack[-1], 'the bracket that opens here is never closed')
  if names and state != 'end':
    raise source.error_at(
      len(source.text), "expected ';' at the end of the tree"
    )
  if len(names) < 2:
    raise source.no_classes()
  return parents, names, class_numbers


def _unexpected(state: str, stack: list[int], mark: str, token: str) -> str:
  words = list(_EXPECTED[state])
  if state in _SUBTREE_ENDS:
    words += ["','", "')'"] if stack else ["';'"]
  *words, last = words
  expected = f'{", ".join(words)} or {last}' if words else last
  hint = '' if mark or state != 'named' else '; names with blanks need quotes'
  return f'expected {expected}, got {quote(token)}{hint}'


def _tokens(source: _Places) -> Iterable[tuple[int, str, str]]:
  """Yields where a token begins, its kind, and what it says.

  Kinds are 'mark', 'quoted' and 'plain' (names and numbers), and 'comment'.
  """
  text, start = source.text, 0
  while start < len(text):
    match = _TOKEN.match(text, start)
    if match is None:
      raise source.error_at(
        start,
        'the quote that opens here is never closed'
        if text[start] == "'"
        else "']' closes no comment",
      )
    kind, stop = match.lastgroup, match.end()
    if kind == 'comment':
      stop = _comment_end(source, start)
      yield start, kind, text[start:stop]
    elif kind != 'blank':
      yield start, kind, match[kind].replace("''", "'")
    start = stop


def _comment_end(source: _Places, start: int) -> int:
  """Where a comment ends, which may have others in it."""
  depth = 0
  for bracket in _BRACKET.finditer(source.text, start):
    depth += 1 if bracket[0] == '[' else -1
    if not depth:
      return bracket.end()
  raise source.error_at(start, 'the comment that opens here is never closed')


def _is_number(token: str) -> bool:
  try:
    float(token)
  except ValueError:
    return False
  return True


def _name_inner_nodes(names: list[str], inner: list[int]) -> None:
  """Names the inner nodes that have no name."""
  taken, number = set(names), 0
  for node in inner:
    if names[node].strip():
      continue
    if not node:
      names[node] = 'root'
      continue
    number += 1
    while f'node {number}' in taken:
      number += 1
    names[node] = f'node {number}'


def _classes(names, inner, numbers, file) -> list[str] | None:
  """Names in the order of the numbers behind them, if there are any."""
  inner = set(inner)
  leaves = [node for node in range(len(names)) if node not in inner]
  numbers = {node: k for node, k in numbers.items() if node not in inner}
  if not numbers:
    return None
  if sorted(numbers.values()) != list(range(len(leaves))):
    raise checks.HierarchyError(
      f'{file}: the numbers in [&class=...] must be 0 to {len(leaves) - 1}, '
      'one behind each class; leave them all out for the order of the file.'
    )
  return [names[node] for node in sorted(leaves, key=numbers.get)]


def write(hierarchy: tree.Hierarchy) -> str:
  """Newick in one line; with numbers, unless the tree tells the class order."""
  starts = topology.child_starts(hierarchy.parents)
  order = topology.depth_first(hierarchy.parents)
  number = {leaf: k for k, leaf in enumerate(hierarchy.leaves.tolist())}
  labels = [_quoted(name) for name in hierarchy.node_names]
  if [node for node in order if node in number] != list(number):
    for leaf, k in number.items():
      labels[leaf] += f'[&class={k}]'
  parents, parts = hierarchy.parents.tolist(), []
  for node in order:
    if starts[node] < starts[node + 1]:
      parts.append('(')
      continue
    parts.append(labels[node])
    # Its ancestors close as far up as it is the last.
    while node and node + 1 == starts[parents[node] + 1]:
      node = parents[node]
      parts.append(f'){labels[node]}')
    parts.append(',' if node else ';\n')
  return ''.join(parts)


def _quoted(name: str) -> str:
  if '\0' in name:
    raise checks.HierarchyError(
      f'the name {quote(name)} contains a character that no file can have'
    )
  return name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"
