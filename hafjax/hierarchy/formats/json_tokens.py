# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON as flat values that know their lines, parsed without recursion.

The `json` of Python forgets lines, keeps one of two equal keys, and gives up on
some hundreds of levels.
"""

from collections.abc import Iterable
import json
import re
from typing import NamedTuple

from hafjax.files.text import quote
from hafjax.hierarchy import checks

_BLANKS = ' \t\r\n'
_TOKEN = re.compile(
  r'[ \t\r\n]*(?:([{}\[\],:])|("[^"\\\n]*(?:\\.[^"\\\n]*)*")|([^\s{}\[\],:"]+))'
)


class Value(NamedTuple):
  """A value in JSON.

  Attributes:
    kind: 'object', 'array', 'string', or 'other'.
    line: where it begins, from 1.
    scalar: of strings and others: what it is.
    keys: of an object, a list of (key, line).
    items: of objects and arrays, a list of the indices of its values.
  """

  kind: str
  line: int
  scalar: str | float | bool | None = None
  keys: list[tuple[str, int]] | None = None
  items: list[int] | None = None

  def shown(self) -> str:
    """As in "expected a name, got ..."."""
    if self.items is None:
      return quote(self.scalar)
    return f'an {self.kind}' if self.items else f'an empty {self.kind}'


def parse(text: str, file: str) -> list[Value]:
  """The values of a text, the outermost first.

  Raises:
    HierarchyError: if it is no JSON, or an object has a key twice.
  """
  # The values that are open, the outermost first, and what closes them.
  values, stack = [], []
  # What may come: a value, a key, a colon, or a comma or the end.
  expected, may_close = 'value', False
  for line, mark, scalar in _tokens(text, file):
    top, closing = stack[-1] if stack else (None, None)
    if mark and mark == closing and (may_close or expected == 'comma'):
      _check_keys(top, file)
      stack.pop()
      expected, may_close = 'comma', False
    elif expected == 'comma' and mark == ',' and top:
      expected, may_close = ('key' if closing == '}' else 'value'), False
    elif expected == 'colon' and mark == ':':
      expected = 'value'
    elif expected == 'key' and isinstance(scalar, str):
      top.keys.append((scalar, line))
      expected, may_close = 'colon', False
    elif expected == 'value' and (not mark or mark in '{['):
      if top:
        top.items.append(len(values))
      expected, may_close = 'comma', False
      values.append(_value(mark, scalar, line))
      if mark:
        stack.append((values[-1], '}' if mark == '{' else ']'))
        expected, may_close = ('key' if mark == '{' else 'value'), True
    else:
      raise _error(file, line, _unexpected(expected, closing, mark, scalar))
  if stack:
    raise _error(
      file, stack[-1][0].line, 'the bracket that opens here is never closed'
    )
  if not values:
    raise checks.HierarchyError(f'{file}: no classes.')
  return values


def _value(mark, scalar, line) -> Value:
  if mark == '{':
    return Value('object', line, keys=[], items=[])
  if mark == '[':
    return Value('array', line, items=[])
  return Value('string' if isinstance(scalar, str) else 'other', line, scalar)


def _tokens(text: str, file: str) -> Iterable[tuple]:
  """Yields line, the mark or None, and the scalar where there is no mark."""
  start, line, end = 0, 1, len(text.rstrip(_BLANKS))
  while start < end:
    match = _TOKEN.match(text, start, end)
    if match is None:
      here = end - len(text[start:end].lstrip(_BLANKS))
      line += text.count('\n', start, here)
      raise _error(
        file, line, 'no JSON here, or a string that does not end on its line'
      )
    mark, string, other = match.groups()
    line += text.count('\n', start, match.end())
    start = match.end()
    if mark:
      yield line, mark, None
    else:
      yield line, None, _scalar(string or other, file, line)


def _scalar(token: str, file: str, line: int):
  if token[0] == '"' and '\\' not in token and token.isprintable():
    return token[1:-1]
  try:
    scalar = json.loads(token)
  except (ValueError, RecursionError):
    raise _error(file, line, f'{quote(token)} is not a value in JSON') from None
  if isinstance(scalar, str) and re.search('[\ud800-\udfff]', scalar):
    raise _error(file, line, f'{quote(scalar)} is not text')
  return scalar


def _unexpected(expected, closing, mark, scalar) -> str:
  wanted = {
    'value': 'a value',
    'key': 'a name in double quotes',
    'colon': "':'",
    'comma': f"',' or '{closing}'" if closing else 'the end of the file',
  }[expected]
  return f'expected {wanted}, got {quote(mark or scalar)}'


def _check_keys(value: Value, file: str) -> None:
  seen = {}
  for key, line in value.keys or ():  # An array has none.
    if key in seen:
      raise _error(
        file,
        line,
        f'{quote(key)} is already on line {seen[key]}, in the same object',
      )
    seen[key] = line


def _error(file: str, line: int, problem: str) -> checks.HierarchyError:
  return checks.HierarchyError(f'{file}, line {line}: {problem}.')
