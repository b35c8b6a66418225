# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchies of iNaturalist 2019 and 2021."""

from collections.abc import Iterable, Mapping
import json
import pathlib

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.builders.columns import from_columns
from hafjax.hierarchy.builders.sources import naming_file
from hafjax.hierarchy.formats import text as text_lib
from hafjax.numerics.numbers import is_int

# Of iNaturalist's taxonomies, coarse to fine.
RANKS = ('kingdom', 'phylum', 'class', 'order', 'family', 'genus')


def from_inaturalist19(file: text_lib.PathLike) -> tree.Hierarchy:
  """Makes the hierarchy of iNaturalist 2019 from its `categories.json`.

  1,010 classes, height 7: root, the six `RANKS`, and the class by its 'name'.

  Args:
    file: a list of objects with 'id', 'name' and `RANKS`, or an object that has
      such a list as its 'categories', as the annotations of 2021 do. Classes
      are in the order of their ids.

  Raises:
    HierarchyError: the file cannot be read, is not laid out so, or has an id or
      a name twice.
  """
  file = text_lib.as_path(file)
  try:
    content = json.loads(text_lib.read(file))
  except (ValueError, RecursionError) as error:
    if isinstance(error, checks.HierarchyError):
      raise
    line = getattr(error, 'lineno', 1)
    raise checks.HierarchyError(
      f'{file}, line {line}: this is not JSON.'
    ) from None
  if isinstance(content, Mapping):
    content = content.get('categories')
  if not isinstance(content, list) or not content:
    raise checks.HierarchyError(f'{file}: expected a list of categories.')
  categories = sorted(_by_id(content, file).items())
  rows = [category for _, category in categories]
  return naming_file(file, lambda: from_columns(rows, (*RANKS, 'name')))


def _by_id(content: list, file: pathlib.Path) -> dict[int, Mapping]:
  found = {}
  for i, category in enumerate(content, 1):
    problem = None
    label = category.get('id') if isinstance(category, Mapping) else None
    if not is_int(label):
      problem = "expected an object with a whole number as its 'id', got "
      problem += quote(category)
    elif label in found:
      problem = f'the id {label} is already that of another category'
    else:
      for rank in (*RANKS, 'name'):
        name = category.get(rank)
        if not isinstance(name, str) or not name.strip():
          problem = f'{rank!r} is missing, or no name'
    if problem:
      raise checks.HierarchyError(f'{file}, category {i}: {problem}.')
    found[label] = category
  return found


def from_inaturalist21(
  names: Iterable[str], tfds: bool = False
) -> tree.Hierarchy:
  """Makes the hierarchy of iNaturalist 2021 from names of its classes.

  10,000 classes, height 7. The names are those of the archive's folders
  ('image_dir_name' in its annotations), which have all ranks:
  00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris
  is a number, the six `RANKS`, and the species.

  Args:
    names: of all classes, in class order.
    tfds: whether to call classes as `i_naturalist2021` of TensorFlow Datasets
      does, 'lumbricus_terrestris', rather than by the whole name. Its names
      alone tell no ranks above the genus.

  Raises:
    HierarchyError: a name has fewer parts, or does not begin with a number; or
      a class occurs twice. Names are counted from 1.
  """
  rows = []
  for i, name in enumerate(checks.items(names, 'names'), 1):
    parts = name.split('_', len(RANKS) + 1) if isinstance(name, str) else []
    if len(parts) != len(RANKS) + 2 or not parts[0].isdigit() or '' in parts:
      raise checks.HierarchyError(
        f'name {i}: expected a number, {", ".join(RANKS)} and species, joined '
        f'by underscores, got {quote(name)}.'
      )
    label = '_'.join(parts[-2:]).lower() if tfds else name
    rows.append([*parts[1:-1], label])
  source = records.Source('name')
  paths = (['root', *row] for row in rows)
  return tree.assemble(records.of_paths(paths, source))
