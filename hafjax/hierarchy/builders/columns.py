# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchies from columns of names, coarse to fine."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.builders.sources import naming_file
from hafjax.hierarchy.formats import table
from hafjax.hierarchy.formats import text as text_lib


def from_columns(
  columns: Mapping[str, Sequence[str]] | Iterable[Mapping | Sequence[str]],
  order: Sequence[str] | None = None,
  root: str | None = 'root',
  classes: Iterable[str] | None = None,
) -> tree.Hierarchy:
  """Makes a hierarchy from columns of names, such as features of a data set.

  The last column is the class. Rows may be examples as well as classes: equal
  rows are one class. A row may end in empty names ('' or None) where its class
  is less deep.

  Args:
    columns: a mapping from the names of columns to their names row by row; or
      rows, each a mapping from columns to names, or a sequence of names from
      coarse to fine.
    order: the columns to use, from coarse to fine; by default all columns of a
      mapping of columns, in its order. Needed for rows that are mappings.
    root: what to put above the first column; None if that is the root.
    classes: names of all classes in class order; by default the order in which
      they first appear.

  Raises:
    HierarchyError: a column is missing, or shorter than another; a name is no
      string, or is empty though a later one is not; or what
      `Hierarchy.from_paths` refuses, such as a class in two places. Rows are
      counted from 1.
  """
  source = records.Source('row', numbers=[])
  paths = _distinct(_rows(columns, order), root, source)
  nodes = records.of_paths(paths, source)
  if classes is not None:
    leaf_of = {nodes.names[leaf]: leaf for leaf in nodes.leaves}
    leaves = checks.class_leaves(leaf_of, nodes.names, classes)
    nodes = nodes._replace(leaves=leaves)
  return tree.assemble(nodes)


def _rows(columns: Any, order: Any) -> Iterable[list]:
  """The names of each row, coarse to fine."""
  if order is not None:
    order = checks.strings(order)
    if not order:
      raise checks.HierarchyError('order must be the names of columns.')
  if not isinstance(columns, Mapping):
    for i, row in enumerate(checks.items(columns, 'columns'), 1):
      yield _row(row, order, i)
    return
  lists = {
    name: checks.items(_column(columns, name, 'columns'), f'columns[{name!r}]')
    for name in (columns if order is None else order)
  }
  for name, values in lists.items():
    first, wanted = next(iter(lists.items()))
    if len(values) != len(wanted):
      raise checks.HierarchyError(
        f'column {quote(name)} has {len(values):,} rows, but '
        f'{quote(first)} has {len(wanted):,}.'
      )
  yield from map(list, zip(*lists.values(), strict=True))


def _row(row: Any, order: list[str] | None, number: int) -> list:
  if not isinstance(row, Mapping):
    return checks.items(row, f'row {number}')
  if order is None:
    raise checks.HierarchyError(
      'order must name the columns, coarse to fine, where rows are mappings.'
    )
  return [_column(row, name, f'row {number}') for name in order]


def _column(columns: Mapping, name: str, where: str) -> Any:
  if name not in columns:
    raise checks.HierarchyError(
      f'{where}: there is no {quote(name)}, only {quote(list(columns))}.'
    )
  return columns[name]


def _distinct(rows, root, source) -> Iterable[list[str]]:
  """Yields the path of each row that is new."""
  above = [] if root is None else checks.strings([root])
  if above is None:
    raise checks.HierarchyError(
      f'root must be a name or None, got {quote(root)}.'
    )
  seen = set()
  for number, row in enumerate(rows, 1):
    while row and (row[-1] is None or row[-1] == ''):
      row.pop()
    names = checks.strings(row)
    if names is None:
      wrong = next(name for name in row if not isinstance(name, str))
      raise checks.HierarchyError(
        f'row {number}: expected names, got {quote(wrong)}; of labels '
        'that are numbers, give the names.'
      )
    path = tuple(above + names)
    if path not in seen:
      seen.add(path)
      source.numbers.append(number)
      yield list(path)


def from_table(
  file: text_lib.PathLike,
  order: Sequence[str],
  root: str | None = 'root',
) -> tree.Hierarchy:
  """Makes a hierarchy from some columns of a table with a header.

  Args:
    file: comma-separated values, as in `table`; its first row is the header.
    order: as of `from_columns`.
    root: as of `from_columns`.

  Raises:
    HierarchyError: the file cannot be read, has no such columns, or what
      `from_columns` refuses. Rows are counted from 1, without the header.
  """
  file = text_lib.as_path(file)
  source = records.Source('line', str(file), [])
  header, *rows = [*table.cells_of(text_lib.read(file), source)] or [[]]
  if len(set(header)) < len(header):
    raise source.error(0, 'two columns of the header have the same name')
  columns = {
    name: [row[i] if i < len(row) else '' for row in rows]
    for i, name in enumerate(header)
  }
  return naming_file(file, lambda: from_columns(columns, order, root))
