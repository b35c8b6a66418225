# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of images: what the layouts of data sets share."""

from collections.abc import Iterable, Mapping
import os
import pathlib

from absl import logging
import numpy as np

from hafjax.data import decode
from hafjax.data.decode import ImageDecoder
from hafjax.data.labels import class_table
from hafjax.data.splits import DataError
from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.files.text import quote_some
from hafjax.files.text import shorten
from hafjax.hierarchy import Hierarchy

SPLITS = ('train', 'val', 'test')

# Files of each split with the names of their classes.
Listing = dict[str, tuple[list[str], list[str]]]


def labelled(
  listing: Listing,
  hierarchy: Hierarchy,
  how: ImageDecoder,
  spellings: Iterable[Mapping[str, str]] = (),
) -> dict[str, decode.Files]:
  """Splits of files with labels in the hierarchy's class order.

  Args:
    listing: by split; only the training split's images are cropped at random.
    hierarchy: whose classes are those of the training split.
    how: images are read.
    spellings: other names that a hierarchy may have for the classes, each by
      the name in the listing.

  Raises:
    DataError: if classes and hierarchy differ.
  """
  class_names = sorted(set(listing['train'][1]))
  for spelling in spellings:
    respelt = {name: spelling.get(name, name) for name in class_names}
    if set(respelt.values()) == set(hierarchy.class_names):
      listing = {
        split: (files, [respelt.get(name, name) for name in names])
        for split, (files, names) in listing.items()
      }
      class_names = [respelt[name] for name in class_names]
      break
  table = class_table(tuple(class_names), hierarchy)
  position = dict(zip(class_names, table.tolist(), strict=True))
  splits = {}
  for split, (files, names) in listing.items():
    strange = sorted(set(names) - position.keys())
    if strange:
      raise DataError(
        f'The {split} split has classes that the training split has not: '
        f'{quote_some(sorted(strange))}.'
      )
    if absent := sorted(position.keys() - set(names)):
      logging.warning(
        'The %s split has no image of %s.', split, quote_some(sorted(absent))
      )
    labels = np.array([position[name] for name in names], np.int32)
    # A byte a character: a million paths as Python strings would be copied to
    # every process.
    paths = np.array([os.fsencode(file) for file in files])
    splits[split] = decode.Files(paths, labels, how)
  return splits


def root_of(config_folder: str, what: str) -> pathlib.Path:
  """The folder that a data set is read from.

  Raises:
    DataError: if there is none.
  """
  folder = pathlib.Path(config_folder)
  if not config_folder or not folder.is_dir():
    raise DataError(
      f'{what} is read from a folder: name one that there is by '
      f'--config.data_dir (got {config_folder!r}).'
    )
  return folder


def read_lines(file: pathlib.Path) -> list[str]:
  try:
    lines = file.read_text(encoding='utf-8').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
  return [line.strip() for line in lines if line.strip()]


def check_files_exist(files: list[str], file: pathlib.Path):
  missing = [name for name in files if not os.path.exists(name)]
  if missing:
    raise DataError(
      f'{file} lists {len(files):,} images, and {len(missing):,} of them are '
      f'not there, {shorten(missing[0], 300)} for one.'
    )


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
  there = _files_below(root)
  listing = {}
  for split in SPLITS:
    lists_of_split = sorted((folder / split).glob('*.txt'))
    if not lists_of_split:
      raise DataError(f'{folder / split} has no lists CLASS.txt.')
    files, names, missing = [], [], []
    for file in lists_of_split:
      for line in read_lines(file):
        path = there.get(os.path.basename(line))
        if path is None:
          missing.append(f'{line} of {file.name}')
          continue
        files.append(path)
        names.append(file.stem)
    if missing:
      raise DataError(
        f'{len(missing):,} of {len(missing) + len(files):,} images that '
        f'{folder / split} lists are nowhere below {root}: '
        f'{quote_some(sorted(missing))}.'
      )
    listing[split] = files, names
  return listing


def _files_below(root: pathlib.Path) -> dict[str, str]:
  """Paths of all images by the name of the file."""
  return {
    name: os.path.join(folder, name)
    for folder, _, names in os.walk(root, followlinks=True)
    for name in names
    if name.lower().endswith(decode.SUFFIXES)
  }


def read_json(file: pathlib.Path):
  try:
    return jsonl.read(file)
  except (OSError, jsonl.JsonError) as error:
    raise DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
