# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchies from the annotations of data sets.

    python -m hafjax.hierarchy build inaturalist19 categories.json tree.csv

Every builder takes what its data set publishes, and gives the classes in the
order of its labels.
"""

from collections.abc import Iterable, Mapping, Sequence
import json
import pathlib
from typing import Any

from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import table
from hafjax.hierarchy import text as text_lib
from hafjax.hierarchy import tree
from hafjax.hierarchy.wordnet import from_wordnet

__all__ = [
  'RANKS',
  'from_columns',
  'from_fgvc_aircraft',
  'from_inaturalist19',
  'from_inaturalist21',
  'from_table',
  'from_wordnet',
]

# Of iNaturalist's taxonomies, coarse to fine.
RANKS = ('kingdom', 'phylum', 'class', 'order', 'family', 'genus')

_AIRCRAFT_SPLITS = ('train', 'val', 'trainval', 'test')


# --- Columns -----------------------------------------------------------------


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
        f'column {checks.quote(name)} has {len(values):,} rows, but '
        f'{checks.quote(first)} has {len(wanted):,}.'
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
      f'{where}: there is no {checks.quote(name)}, only '
      f'{checks.quote(list(columns))}.'
    )
  return columns[name]


def _distinct(rows, root, source) -> Iterable[list[str]]:
  """Yields the path of each row that is new."""
  above = [] if root is None else checks.strings([root])
  if above is None:
    raise checks.HierarchyError(
      f'root must be a name or None, got {checks.quote(root)}.'
    )
  seen = set()
  for number, row in enumerate(rows, 1):
    while row and (row[-1] is None or row[-1] == ''):
      row.pop()
    names = checks.strings(row)
    if names is None:
      wrong = next(name for name in row if not isinstance(name, str))
      raise checks.HierarchyError(
        f'row {number}: expected names, got {checks.quote(wrong)}; of labels '
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
  return _told_of(file, lambda: from_columns(columns, order, root))


def _told_of(file: pathlib.Path, build) -> tree.Hierarchy:
  try:
    return build()
  except checks.HierarchyError as error:
    raise checks.HierarchyError(f'{file}: {error}') from None


# --- iNaturalist -------------------------------------------------------------


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
  return _told_of(file, lambda: from_columns(rows, (*RANKS, 'name')))


def _by_id(content: list, file: pathlib.Path) -> dict[int, Mapping]:
  found = {}
  for i, category in enumerate(content, 1):
    problem = None
    label = category.get('id') if isinstance(category, Mapping) else None
    if not checks.is_int(label):
      problem = "expected an object with a whole number as its 'id', got "
      problem += checks.quote(category)
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
        f'by underscores, got {checks.quote(name)}.'
      )
    label = '_'.join(parts[-2:]).lower() if tfds else name
    rows.append([*parts[1:-1], label])
  source = records.Source('name')
  paths = (['root', *row] for row in rows)
  return tree.assemble(records.of_paths(paths, source))


# --- FGVC-Aircraft -----------------------------------------------------------


def from_fgvc_aircraft(folder: text_lib.PathLike) -> tree.Hierarchy:
  """Makes the hierarchy of FGVC-Aircraft from its annotations.

  100 classes (variants), height 3: root, manufacturer, family, variant.

  Args:
    folder: where `variants.txt` is, or the archive's top, which has it in
      `data`. The levels of each image are those that
      `images_manufacturer_SPLIT.txt`, `images_family_SPLIT.txt` and
      `images_variant_SPLIT.txt` tell, of all SPLITs whose three files are
      there; one is enough. Classes are in the order of `variants.txt`.

  Raises:
    HierarchyError: a file is missing or not laid out so; a variant has no
      image, or images of two families or manufacturers.
  """
  folder = text_lib.as_path(folder)
  if not (folder / 'variants.txt').exists():
    folder = folder / 'data'
  file = folder / 'variants.txt'
  variants = read_names(file)
  lineage = {}
  for split in _AIRCRAFT_SPLITS:
    _add_split(lineage, folder, split)
  if not lineage:
    raise checks.HierarchyError(
      f'{folder}: expected images_manufacturer_train.txt, '
      'images_family_train.txt and images_variant_train.txt here, or those of '
      'another split.'
    )
  paths = []
  for variant in variants:
    if variant not in lineage:
      raise checks.HierarchyError(
        f'{file}: there is no image of {checks.quote(variant)}, so that its '
        'family is not known.'
      )
    paths.append(['aircraft', *lineage[variant][0], variant])
  return _told_of(file, lambda: tree.Hierarchy.from_paths(paths))


def _add_split(lineage: dict, folder: pathlib.Path, split: str) -> None:
  """Adds (manufacturer, family) of each variant, and where they stand."""
  levels = ('manufacturer', 'family', 'variant')
  files = [folder / f'images_{level}_{split}.txt' for level in levels]
  if not all(file.exists() for file in files):
    return
  manufacturers, families, variants = map(_images, files)
  for image, variant in variants.items():
    if image not in manufacturers or image not in families:
      missing = files[0] if image not in manufacturers else files[1]
      raise checks.HierarchyError(
        f'{missing}: the image {checks.quote(image)} is missing.'
      )
    above = manufacturers[image], families[image]
    other, where = lineage.setdefault(variant, (above, files[2]))
    if other != above:
      raise checks.HierarchyError(
        f'{files[2]}: {checks.quote(variant)} is of {" > ".join(above)} by the '
        f'image {checks.quote(image)}, but of {" > ".join(other)} by {where}.'
      )


def _images(file: pathlib.Path) -> dict[str, str]:
  """Names by image."""
  source = records.Source('line', str(file), [])
  found = {}
  for i, line in enumerate(text_lib.lines(text_lib.read(file), source)):
    image, _, name = line.strip().partition(' ')
    if not name.strip():
      raise source.error(
        i, f'expected an image and a name, got {checks.quote(line)}'
      )
    found[image] = name.strip()
  return found


def read_names(file: text_lib.PathLike) -> list[str]:
  """The names in a file, one a line."""
  source = records.Source('line', str(file), [])
  text = text_lib.read(file)
  return [line.strip() for line in text_lib.lines(text, source)]
