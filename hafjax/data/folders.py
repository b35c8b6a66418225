# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Images in folders: what the layouts of several data sets share."""

from collections.abc import Iterable, Mapping
import os
import pathlib

from absl import logging
import numpy as np

from hafjax.data import decode
from hafjax.data.decode import ImageDecoder
from hafjax.data.errors import DataError
from hafjax.data.labels import class_table
from hafjax.files.text import describe_error
from hafjax.files.text import quote_some
from hafjax.files.text import shorten
from hafjax.hierarchy import Hierarchy

SPLITS = ('train', 'val', 'test')

# Files of each split with the names of their classes.
Listing = dict[str, tuple[list[str], list[str]]]


def labeled(
  listing: Listing,
  hierarchy: Hierarchy,
  decoder: ImageDecoder,
  spellings: Iterable[Mapping[str, str]] = (),
) -> dict[str, decode.Files]:
  """Splits of files with labels in the hierarchy's class order.

  Args:
    listing: by split; only the training split's images are cropped at random.
    hierarchy: whose classes are those of the training split.
    decoder: how images are read.
    spellings: other names that a hierarchy may have for the classes, each by
      the name in the listing.

  Raises:
    DataError: if classes and hierarchy differ.
  """
  listing = _respelled(listing, hierarchy, spellings)
  class_names = sorted(set(listing['train'][1]))
  table = class_table(tuple(class_names), hierarchy)
  position = dict(zip(class_names, table.tolist(), strict=True))
  splits = {}
  for split, (files, names) in listing.items():
    unknown = sorted(set(names) - position.keys())
    if unknown:
      raise DataError(
        f'The {split} split has classes that the training split does not have: '
        f'{quote_some(unknown)}.'
      )
    if absent := sorted(position.keys() - set(names)):
      logging.warning(
        'The %s split has no image of %s.', split, quote_some(absent)
      )
    labels = np.array([position[name] for name in names], np.int32)
    # A byte a character: a million paths as Python strings would be copied to
    # every process.
    paths = np.array([os.fsencode(file) for file in files])
    splits[split] = decode.Files(paths, labels, decoder)
  return splits


def _respelled(listing, hierarchy, spellings) -> Listing:
  """With class names as in the first spelling that fits the hierarchy."""
  class_names = sorted(set(listing['train'][1]))
  for spelling in spellings:
    respelled = {name: spelling.get(name, name) for name in class_names}
    if set(respelled.values()) == set(hierarchy.class_names):
      return {
        split: (files, [respelled.get(name, name) for name in names])
        for split, (files, names) in listing.items()
      }
  return listing


def root_of(config_folder: str, dataset: str) -> pathlib.Path:
  """The folder that a data set is read from.

  Raises:
    DataError: if it does not exist.
  """
  folder = pathlib.Path(config_folder)
  if not config_folder or not folder.is_dir():
    raise DataError(
      f'{dataset} is read from a folder: name one that exists by '
      f'--config.data_dir (got {config_folder!r}).'
    )
  return folder


def read_lines(file: pathlib.Path) -> list[str]:
  """The lines of a list, stripped, without blank ones.

  Raises:
    DataError: if it cannot be read.
  """
  try:
    lines = file.read_text(encoding='utf-8').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'{file} cannot be read: {describe_error(error)}.') from (
      error
    )
  return [line.strip() for line in lines if line.strip()]


def check_exist(files: list[str], file: pathlib.Path):
  """Raises DataError if images that a file lists do not exist."""
  missing = [name for name in files if not os.path.exists(name)]
  if missing:
    raise DataError(
      f'{file} lists {len(files):,} images, and {len(missing):,} of them do '
      f'not exist, for example {shorten(missing[0], 300)}.'
    )


# --- Published lists of image names -------------------------------------------


def listed_images(root: pathlib.Path, folder: pathlib.Path) -> Listing:
  """Images below a folder, by published lists of the names of their files.

  The lists (Bertinetto et al., CVPR 2020) are LISTS/{train,val,test}/CLASS.txt
  with the name of an image a line. Names are unique, so that images are found
  wherever below the folder they are: in the official layouts, or resized and
  sorted otherwise.

  Args:
    root: folder of the images.
    folder: of the lists.

  Raises:
    DataError: if lists or images are missing.
  """
  if not folder.is_dir():
    raise DataError(
      f'{root} has no folder {folder.name}: unpack there the split lists of '
      'https://github.com/fiveai/making-better-mistakes (dataset_splits).'
    )
  paths = _images_below(root)
  return {split: _listed_split(root, folder / split, paths) for split in SPLITS}


def _listed_split(root, folder, paths) -> tuple[list[str], list[str]]:
  """Files and class names of a split, from a folder of lists CLASS.txt."""
  lists = sorted(folder.glob('*.txt'))
  if not lists:
    raise DataError(f'{folder} has no lists CLASS.txt.')
  files, names, missing = [], [], []
  for file in lists:
    for line in read_lines(file):
      path = paths.get(os.path.basename(line))
      if path is None:
        missing.append(f'{line} of {file.name}')
        continue
      files.append(path)
      names.append(file.stem)
  if missing:
    raise DataError(
      f'{len(missing):,} of {len(missing) + len(files):,} images that {folder} '
      f'lists are nowhere below {root}: {quote_some(sorted(missing))}.'
    )
  return files, names


def _images_below(root: pathlib.Path) -> dict[str, str]:
  """Paths of all images by the name of the file."""
  return {
    name: os.path.join(folder, name)
    for folder, _, names in os.walk(root, followlinks=True)
    for name in names
    if name.lower().endswith(decode.SUFFIXES)
  }
