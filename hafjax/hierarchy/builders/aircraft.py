# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The hierarchy of FGVC-Aircraft."""

import pathlib

from hafjax.files.text import quote
from hafjax.hierarchy import checks
from hafjax.hierarchy import records
from hafjax.hierarchy import tree
from hafjax.hierarchy.builders.sources import naming_file
from hafjax.hierarchy.builders.sources import read_names
from hafjax.hierarchy.formats import text as text_lib

_SPLITS = ('train', 'val', 'trainval', 'test')


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
  for split in _SPLITS:
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
        f'{file}: there is no image of {quote(variant)}, so that its '
        'family is not known.'
      )
    paths.append(['aircraft', *lineage[variant][0], variant])
  return naming_file(file, lambda: tree.Hierarchy.from_paths(paths))


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
        f'{missing}: the image {quote(image)} is missing.'
      )
    above = manufacturers[image], families[image]
    other, where = lineage.setdefault(variant, (above, files[2]))
    if other != above:
      raise checks.HierarchyError(
        f'{files[2]}: {quote(variant)} is of {" > ".join(above)} by the '
        f'image {quote(image)}, but of {" > ".join(other)} by {where}.'
      )


def _images(file: pathlib.Path) -> dict[str, str]:
  """Names by image."""
  source = records.Source('line', str(file), [])
  found = {}
  for i, line in enumerate(text_lib.lines(text_lib.read(file), source)):
    image, _, name = line.strip().partition(' ')
    if not name.strip():
      raise source.error(i, f'expected an image and a name, got {quote(line)}')
    found[image] = name.strip()
  return found
