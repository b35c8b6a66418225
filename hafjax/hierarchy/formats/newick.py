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

import re

import numpy as np

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import topology
from hafjax.hierarchy import tree

_TOKEN = re.compile(
  r"\s*(?:([(),;:\[])|'([^']*(?:''[^']*)*)'|([^\s()\[\]':;,]+))"
)
# Its groups.
_KINDS = (None, 'mark', 'quoted', 'plain')
_QUOTED = 2
_BRACKET = re.compile(r'[\[\]]')
_CLASS = re.compile(r'\[&class=([0-9]{1,9})\]')
_PLAIN = re.compile(r"[^\s()\[\]':;,]+")


def read(text: str, file: str) -> tree.Hierarchy:
  """Reads a tree in Newick."""
  parser = _Parser(text, file)
  for kind, token in parser.tokens():
    parser.take(kind, token)
  return parser.hierarchy()


class _Parser:
  """Nodes so far, and what may come next.

  `state` is 'subtree', where a class or a bracket is due; 'closed', where the
  name of an inner node may come; 'named'; 'length', where the number is due;
  'measured'; or 'end'.
  """

  def __init__(self, text: str, file: str):
    self.text, self.file = text, file
    self.source = records.Source('line', file, [])
    self.parents, self.names, self.open, self.inner = [], [], [], []
    self.numbers = {}
    self.node, self.state = -1, 'subtree'
    # Where the token begins, and how far lines were counted.
    self.start = self.counted = self.line_start = 0
    self.line = 1

  def place(self) -> str:
    """Of the token, as in "line 1, column 12"."""
    newlines = self.text.count('\n', self.counted, self.start)
    if newlines:
      self.line += newlines
      self.line_start = self.text.rindex('\n', self.counted, self.start) + 1
    self.counted = self.start
    return f'{self.line}, column {self.start - self.line_start + 1}'

  def error(self, problem: str, place: str = '') -> checks.HierarchyError:
    return checks.HierarchyError(
      f'{self.file}, line {place or self.place()}: {problem}.'
    )

  def tokens(self):
    """Yields kinds ('mark', 'quoted' or 'plain') and tokens; takes comments."""
    end = len(self.text.rstrip())
    position = 0
    while position < end:
      match = _TOKEN.match(self.text, position, end)
      if match is None:
        self.start = end - len(self.text[position:end].lstrip())
        if self.text[self.start] == "'":
          raise self.error('the quote that opens here is never closed')
        raise self.error("']' closes no comment")
      self.start = match.start(match.lastindex) - (match.lastindex == _QUOTED)
      position = match.end()
      if match[1] == '[':
        position = self.comment()
      else:
        yield _KINDS[match.lastindex], match[match.lastindex]

  def comment(self) -> int:
    """Takes the comment that begins here; returns where it ends."""
    depth = 0
    for bracket in _BRACKET.finditer(self.text, self.start):
      depth += 1 if bracket[0] == '[' else -1
      if not depth:
        break
    if depth:
      raise self.error('the comment that opens here is never closed')
    match = _CLASS.fullmatch(self.text, self.start, bracket.end())
    if match and self.state in ('named', 'measured'):
      self.numbers[self.node] = int(match[1])
    return bracket.end()

  def take(self, kind: str, token: str) -> None:
    if self.state == 'end':
      raise self.error(
        f'{quote(token)} after the semicolon, but a file has one tree'
      )
    if self.state == 'length':
      self.take_length(kind, token)
    elif kind != 'mark':
      self.take_name(token.replace("''", "'") if kind == 'quoted' else token)
    elif token == '(':
      self.take_opening()
    elif self.state == 'subtree':
      raise self.error(
        f'expected a class or an opening bracket, got {quote(token)}'
      )
    else:
      self.take_mark(token)

  def take_length(self, kind: str, token: str) -> None:
    try:
      float(token if kind == 'plain' else '')
    except ValueError:
      raise self.error(
        f'expected the length of a branch, got {quote(token)}'
      ) from None
    self.state = 'measured'

  def take_name(self, name: str) -> None:
    if self.state == 'subtree':
      if not name.strip():
        raise self.error('a class has no name')
      self.add(name)
      self.state = 'named'
    elif self.state == 'closed':
      self.names[self.node] = name
      self.state = 'named'
    else:
      raise self.error(
        f'{quote(name)} after a name or a length; perhaps a '
        'comma is missing, or quotes around a name with blanks'
      )

  def take_opening(self) -> None:
    if self.state != 'subtree':
      raise self.error("'(' after a subtree; perhaps a comma is missing")
    self.add('')
    self.inner.append(self.node)
    self.open.append(self.node)

  def take_mark(self, token: str) -> None:
    if token == ':' and self.state in ('closed', 'named'):
      self.state = 'length'
    elif token == ':':
      raise self.error('a second length of one branch')
    elif token == ';':
      if self.open:
        raise self.unclosed()
      self.state = 'end'
    elif not self.open:
      raise self.error(f'{quote(token)} outside of all brackets')
    elif token == ',':
      self.state = 'subtree'
    else:
      self.node = self.open.pop()
      self.state = 'closed'

  def add(self, name: str) -> None:
    self.node = len(self.names)
    self.names.append(name)
    self.parents.append(self.open[-1] if self.open else -1)
    self.source.numbers.append(self.place())

  def unclosed(self) -> checks.HierarchyError:
    return self.error(
      'the bracket that opens here is never closed',
      self.source.numbers[self.open[-1]],
    )

  def hierarchy(self) -> tree.Hierarchy:
    if self.open:
      raise self.unclosed()
    if not self.names:
      raise self.source.no_classes()
    self.start = len(self.text)
    if self.state != 'end':
      raise self.error("expected ';' at the end of the tree")
    if len(self.names) == 1:
      raise self.source.no_classes()
    self.name_inner_nodes()
    nodes = records.of_nodes(
      np.array(self.parents), self.names, self.source, self.classes()
    )
    return tree.assemble(nodes)

  def name_inner_nodes(self) -> None:
    taken, number = set(self.names), 0
    for node in self.inner:
      if self.names[node].strip():
        continue
      if not node:
        self.names[node] = 'root'
        continue
      number += 1
      while f'node {number}' in taken:
        number += 1
      self.names[node] = f'node {number}'

  def classes(self) -> list[str] | None:
    """Names in the order of the numbers behind them, if there are any."""
    inner = set(self.inner)
    leaves = [node for node in range(len(self.names)) if node not in inner]
    numbers = {n: k for n, k in self.numbers.items() if n not in inner}
    if not numbers:
      return None
    if sorted(numbers.values()) != list(range(len(leaves))):
      raise checks.HierarchyError(
        f'{self.file}: the numbers in [&class=...] must be 0 to '
        f'{len(leaves) - 1}, one behind each class; leave them all out for the '
        'order of the file.'
      )
    return [self.names[node] for node in sorted(leaves, key=numbers.get)]


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
