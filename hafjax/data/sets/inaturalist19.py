# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""iNaturalist 2019, by the published lists or the official annotations."""

import os
import pathlib

from absl import logging

from hafjax.data import folders
from hafjax.data.decode import Files
from hafjax.data.decode import ImageDecoder
from hafjax.data.errors import DataError
from hafjax.data.specs import Spec
from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import builders


def _read(hierarchy, config) -> dict[str, Files]:
  listing = list_images(config.data_dir)
  # The published images were stretched to squares when they were stored.
  decoder = ImageDecoder.from_config(config, 'stretched')
  return folders.labeled(
    listing, hierarchy, decoder, [species(config.data_dir)]
  )


def _tree(config) -> Hierarchy:
  root = folders.root_of(config.data_dir, 'inaturalist19')
  file = _categories_file(root)
  if file is None:
    raise DataError(
      f'{root} has neither categories.json nor train2019.json, from which the '
      'hierarchy would be built: put one there, or name a file of the '
      'hierarchy by --config.hierarchy.'
    )
  return builders.from_inaturalist19(file)


def list_images(config_folder: str) -> folders.Listing:
  """Images by the published lists, in splits_inat19, where they exist.

  Without them, by the official train2019.json and val2019.json, of which the
  latter is to test on.

  Raises:
    DataError: if lists, annotations or images are missing or damaged.
  """
  root = folders.root_of(config_folder, 'inaturalist19')
  lists, train = root / 'splits_inat19', root / 'train2019.json'
  if lists.is_dir() or not train.exists():
    return folders.listed_images(root, lists)
  logging.warning(
    '%s has no splits_inat19: the official training and validation images '
    'take its place, and results are not those of papers.',
    root,
  )
  return dict(
    train=_annotated(root, train),
    test=_annotated(root, root / 'val2019.json'),
  )


def _annotated(root: pathlib.Path, file: pathlib.Path):
  """A split by an official file of annotations, with paths below the root."""
  content = _read_json(file)
  try:
    paths = {image['id']: image['file_name'] for image in content['images']}
    pairs = [
      (os.path.join(root, paths[a['image_id']]), int(a['category_id']))
      for a in content['annotations']
    ]
  except (KeyError, OverflowError, TypeError, ValueError) as error:
    raise _wrong_layout(file, error) from error
  files = [path for path, _ in pairs]
  folders.check_exist(files, file)
  return files, [_published_name(category) for _, category in pairs]


def species(config_folder: str) -> dict[str, str]:
  """Species by the names of the published tree, nat0000 and so on.

  {} where no file has them.

  Raises:
    DataError: if the file is damaged.
  """
  file = _categories_file(config_folder)
  if file is None:
    return {}
  content = _read_json(file)
  try:
    categories = content['categories'] if isinstance(content, dict) else content
    return {_published_name(int(c['id'])): str(c['name']) for c in categories}
  except (KeyError, OverflowError, TypeError, ValueError) as error:
    raise _wrong_layout(file, error) from error


def _published_name(category: int) -> str:
  """A species as the published lists and tree name it."""
  return f'nat{category:04d}'


def _categories_file(folder: str | os.PathLike) -> pathlib.Path | None:
  """The file that has species with their names and ranks, if there is one."""
  root = pathlib.Path(folder)
  files = (root / 'categories.json', root / 'train2019.json')
  return next((file for file in files if file.exists()), None)


def _read_json(file: pathlib.Path):
  try:
    return jsonl.read(file)
  except (OSError, jsonl.JsonError) as error:
    raise DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error


def _wrong_layout(file: pathlib.Path, error: Exception) -> DataError:
  return DataError(
    f'{file} is not in the layout of iNaturalist 2019 ({quote(error, 160)}).'
  )


SPEC = Spec(
  read=_read,
  build_hierarchy=_tree,
  mean=(0.454, 0.474, 0.367),
  std=(0.237, 0.230, 0.249),
  # Without the published lists: their share of the official ones.
  val_per_class=3,
  flip=True,
)
