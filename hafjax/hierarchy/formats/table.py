# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lineage tables: comma-separated values, a row a class, coarse to fine.

    kingdom,class,species
    Animalia,Mammalia,Canis lupus
    Plantae,Magnoliopsida,"Rosa, wild"

Rows are in class order. The last name of a row is the class, and a row may end
early, or in empty cells, where a class is less deep. Names with a comma stand
in double quotes, with a quote inside them doubled; a row is one line. Blank
lines and lines that start with `#` are skipped.

If all rows begin with the same name and go on, that name is the root;
otherwise a root called 'root' is put above.

The first row is a class if its first name begins another row, too, or if it is
the only one. Otherwise it is a header if every cell has one of the words of
`HEADER_WORDS`: 'class_name', 'level 2', 'genus'. What could be either is
refused, for to guess might lose a class in silence.
"""

from collections.abc import Iterable, Sequence
import csv
import re

from hafjax.files.text import quote
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import text as text_lib

HEADER_WORDS = frozenset(
  'root level rank group category supercategory coarse fine label name class '
  'superclass subclass order superorder suborder domain kingdom phylum '
  'division family superfamily subfamily tribe genus subgenus species '
  'manufacturer variant'.split()
)
# Put above rows that do not begin alike.
ROOT = 'root'


def read(text: str, file: str) -> tree.Hierarchy:
  """Reads a table."""
  source = records.Source('line', file, [])
  rows = rows_of(text, source)
  if has_header(rows, source):
    rows, source = _without_header(rows, source)
  first = {row[0] for row in rows}
  if len(first) > 1 or any(len(row) == 1 for row in rows):
    rows = [[ROOT, *row] for row in rows]
  return tree.assemble(records.of_paths(rows, source))


def rows_of(text: str, source: records.Source) -> list[list[str]]:
  """Names of each row, without those that are empty at its end."""
  rows, numbers = [], []
  for i, row in enumerate(cells_of(text, source)):
    while row and not row[-1]:
      row.pop()
    if '' in row:
      gap = row.index('') + 1
      raise source.error(
        i,
        f'column {gap} is empty, and a later one is not; give the group a '
        'name, or leave its cell out',
      )
    if row:
      rows.append(row)
      numbers.append(source.numbers[i])
  # Only now: the lines were counted while they were read.
  source.numbers[:] = numbers
  return rows


def cells_of(text: str, source: records.Source) -> Iterable[list[str]]:
  """Yields the cells of each row."""
  for i, line in enumerate(text_lib.lines(text, source)):
    try:
      (row,) = csv.reader([line.strip()], strict=True, skipinitialspace=True)
    except csv.Error as error:
      raise source.error(
        i,
        f'no row of comma-separated values ({error}); a name with a comma or a '
        'quote stands in double quotes, and a quote inside them is doubled',
      ) from None
    yield [name.strip() for name in row]


def has_header(rows: Sequence[Sequence[str]], source: records.Source) -> bool:
  """Whether the first row names the columns; raises if it is not clear."""
  if len(rows) < 2 or any(row[0] == rows[0][0] for row in rows[1:]):
    return False
  if all(
    HEADER_WORDS & set(re.split('[^a-z]+', name.lower())) for name in rows[0]
  ):
    return True
  raise source.error(
    0,
    f'{quote(rows[0][0])} begins no other row, so that this may be a '
    "header or a class; put '#' in front of a header, or a header such as "
    "'level 1,level 2' above a class",
  )


def _without_header(rows, source):
  width = len(rows[0])
  for i, row in enumerate(rows[1:], 1):
    if len(row) > width:
      raise source.error(
        i, f'{len(row)} columns, but the header {source.at(0)} has {width}'
      )
  source = records.Source(source.unit, source.file, source.numbers[1:])
  return rows[1:], source


def write(hierarchy: tree.Hierarchy) -> str:
  """A table with a header, its first column the root."""
  for name in hierarchy.node_names:
    text_lib.check_line_name(name)
  cells = [_quoted(name) for name in hierarchy.node_names]
  lines = [
    ','.join(cells[node] for node in path) for path in hierarchy.node_paths()
  ]
  header = [f'level {level}' for level in range(hierarchy.height + 1)]
  # Or else it would be read as a class: no other root begins so.
  if hierarchy.node_names[0] != header[0]:
    lines = [','.join(header), *lines]
  return '\n'.join(lines) + '\n'


def _quoted(name: str) -> str:
  if not re.search(r'^#|[",\r]', name):
    return name
  return '"' + name.replace('"', '""') + '"'
