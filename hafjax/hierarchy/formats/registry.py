# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchies in files, and those that come with hafjax."""

from collections.abc import Callable
from importlib import resources
import pathlib
import re
from typing import NamedTuple

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import tree
from hafjax.hierarchy.formats import nested
from hafjax.hierarchy.formats import newick
from hafjax.hierarchy.formats import paths_edges
from hafjax.hierarchy.formats import table
from hafjax.hierarchy.formats import text as text_lib

_SURROGATE = re.compile('[\ud800-\udfff]')


class Format(NamedTuple):
  """How a hierarchy is written.

  Attributes:
    suffixes: what the names of such files end in.
    read: makes a hierarchy of a text and the file's name.
    write: makes a text; raises HierarchyError without a full stop where it
      would not be read back as it was.
  """

  suffixes: tuple[str, ...]
  read: Callable[[str, str], tree.Hierarchy]
  write: Callable[[tree.Hierarchy], str]


FORMATS = {
  'paths': Format(('.txt',), paths_edges.read_paths, paths_edges.write_paths),
  'edges': Format(('.tsv',), paths_edges.read_edges, paths_edges.write_edges),
  'table': Format(('.csv',), table.read, table.write),
  'json': Format(('.json',), nested.read, nested.write),
  'newick': Format(('.nwk', '.newick'), newick.read, newick.write),
}


def format_of(file: pathlib.Path, name: str | None) -> str:
  """The name of a file's format; raises HierarchyError if it is unknown."""
  if name is None:
    for known, form in FORMATS.items():
      if file.suffix.lower() in form.suffixes:
        return known
  elif isinstance(name, str) and name in FORMATS:
    return name
  known = ', '.join(
    f'{name!r} ({", ".join(form.suffixes)})' for name, form in FORMATS.items()
  )
  asked = f'format {quote(name)} is unknown'
  if name is None:
    asked = f'no format is known by the suffix {file.suffix!r}'
  raise checks.HierarchyError(f'{file}: {asked}; known formats are {known}.')


def builtin_names() -> tuple[str, ...]:
  """Names of the hierarchies that come with hafjax, sorted."""
  folder = resources.files('hafjax.hierarchy').joinpath('builtin')
  return tuple(
    sorted(
      file.name.removesuffix('.txt')
      for file in folder.iterdir()
      if file.name.endswith('.txt')
    )
  )


def load_hierarchy(
  name_or_file: text_lib.PathLike, format: str | None = None
) -> tree.Hierarchy:
  """Loads a built-in hierarchy, or one from a file.

  Args:
    name_or_file: a name from `builtin_names()`, which goes first, or a file; a
      `pathlib.Path` is always a file.
    format: of the file, a key of `FORMATS`; by default by its suffix. A `.txt`
      that has tabs and no slash is one of edges.

  Raises:
    HierarchyError: there is no such hierarchy, the file cannot be read, or what
      it says is no hierarchy; names the file and, where there is one, the line.
  """
  if isinstance(name_or_file, str) and name_or_file in builtin_names():
    file = resources.files('hafjax.hierarchy').joinpath(
      'builtin', f'{name_or_file}.txt'
    )
    name = f'{name_or_file}.txt'
    return paths_edges.read_paths(
      text_lib.decode(file.read_bytes(), name), name
    )
  file = text_lib.as_path(name_or_file)
  text = text_lib.read(
    file,
    f'is neither a built-in hierarchy ({", ".join(builtin_names())}) nor a '
    'file that exists',
  )
  known = format_of(file, format)
  if format is None and known == 'paths' and '/' not in text and '\t' in text:
    known = 'edges'
  return FORMATS[known].read(text, str(file))


def save_hierarchy(
  hierarchy: tree.Hierarchy, file: text_lib.PathLike, format: str | None = None
) -> None:
  """Writes a hierarchy to a file that `load_hierarchy` reads back as it was.

  The file appears at once and whole, or not at all.

  Args:
    hierarchy: what to write.
    file: where to; an older file is replaced.
    format: a key of `FORMATS`; by default by the file's suffix.

  Raises:
    HierarchyError: the format cannot hold this hierarchy's names, as edges
      cannot when two nodes share one; or the file cannot be written.
  """
  if not isinstance(hierarchy, tree.Hierarchy):
    raise checks.HierarchyError(
      f'expected a Hierarchy, got {quote(hierarchy)}.'
    )
  file = text_lib.as_path(file)
  form = FORMATS[format_of(file, format)]
  try:
    for name in filter(_SURROGATE.search, hierarchy.node_names):
      raise checks.HierarchyError(
        f'the name {quote(name)} cannot be encoded as UTF-8'
      )
    text = form.write(hierarchy)
  except checks.HierarchyError as error:
    raise checks.HierarchyError(f'{file} cannot be written: {error}.') from None
  text_lib.write(text, file)
