# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""iNaturalist 2019: 268,000 photographs of 1,010 species."""

import os
import pathlib

from absl import logging

from hafjax.data.folders import Listing
from hafjax.data.folders import check_files_exist
from hafjax.data.folders import labelled
from hafjax.data.folders import listed_images
from hafjax.data.folders import read_json
from hafjax.data.folders import root_of
from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.data.spec import image_decoder
from hafjax.data.splits import DataError
from hafjax.files.text import quote
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import builders


def list_images(config_folder: str) -> Listing:
  """iNaturalist 2019, split by the published lists where they are there.

  Without them, by the official train2019.json and val2019.json, of which the
  latter is to test on.
  """
  root = root_of(config_folder, 'inaturalist19')
  if (root / 'splits_inat19').is_dir():
    return listed_images(root, root / 'splits_inat19')
  if (root / 'train2019.json').exists():
    logging.warning(
      '%s has no splits_inat19: the official training and validation images '
      'take its place, and results are not those of papers.',
      root,
    )
    return dict(
      train=_annotated(root, root / 'train2019.json'),
      test=_annotated(root, root / 'val2019.json'),
    )
  return listed_images(root, root / 'splits_inat19')


def _annotated(root: pathlib.Path, file: pathlib.Path):
  """A split by an official file of annotations, with paths below the root."""
  content = read_json(file)
  try:
    paths = {image['id']: image['file_name'] for image in content['images']}
    pairs = [
      (os.path.join(root, paths[a['image_id']]), int(a['category_id']))
      for a in content['annotations']
    ]
  except (KeyError, OverflowError, TypeError, ValueError) as error:
    raise DataError(
      f'{file} is not in the layout of iNaturalist 2019 ({quote(error, 160)}).'
    ) from error
  files = [path for path, _ in pairs]
  check_files_exist(files, file)
  return files, [f'nat{category:04d}' for _, category in pairs]


def species_names(config_folder: str) -> dict[str, str]:
  """Species by the names of the published tree, nat0000 and so on.

  {} where no file has them.
  """
  file = categories_file(config_folder)
  if file is None:
    return {}
  found = read_json(file)
  try:
    found = found['categories'] if isinstance(found, dict) else found
    return {f'nat{int(c["id"]):04d}': str(c['name']) for c in found}
  except (KeyError, OverflowError, TypeError, ValueError) as error:
    raise DataError(
      f'{file} is not in the layout of iNaturalist 2019 ({quote(error, 160)}).'
    ) from error


def categories_file(
  config_folder: str | os.PathLike,
) -> pathlib.Path | None:
  """The file that has species with their names and ranks, if there is one."""
  root = pathlib.Path(config_folder)
  files = (root / 'categories.json', root / 'train2019.json')
  return next((file for file in files if file.exists()), None)


def _read(hierarchy, config) -> Splits:
  listing = list_images(config.data_dir)
  species = species_names(config.data_dir)
  # The published images were stretched to squares when they were stored.
  how = image_decoder(config, 'stretched')
  return labelled(listing, hierarchy, how, [species])


def _tree(config) -> Hierarchy:
  root = root_of(config.data_dir, 'inaturalist19')
  file = categories_file(root)
  if file is None:
    raise DataError(
      f'{root} has neither categories.json nor train2019.json, from which the '
      'hierarchy would be built: put one there, or name a file of the '
      'hierarchy by --config.hierarchy.'
    )
  return builders.from_inaturalist19(file)


SPEC = Spec(
  read=_read,
  build_hierarchy=_tree,
  mean=(0.454, 0.474, 0.367),
  std=(0.237, 0.230, 0.249),
  # Without the published lists: their share of the official ones.
  val_per_class=3,
  flip=True,
)
