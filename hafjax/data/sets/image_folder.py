# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Images of your own: ROOT/{train,val,test}/CLASS/*.{jpg,jpeg,png}."""

import os
import pathlib

from absl import logging

from hafjax.data import decode
from hafjax.data import folders
from hafjax.data.decode import ImageDecoder
from hafjax.data.errors import DataError
from hafjax.data.specs import Spec
from hafjax.data.splits import Split
from hafjax.data.splits import with_validation
from hafjax.plugins.fields import SHARE
from hafjax.plugins.fields import Field
from hafjax.plugins.fields import at_least
from hafjax.plugins.fields import one_of


def _read(hierarchy, config) -> dict[str, Split]:
  options = SPEC.options(config)
  listing = _list_images(config.data_dir)
  decoder = ImageDecoder.from_config(config, channels=options['channels'])
  splits = folders.labeled(listing, hierarchy, decoder)
  return with_validation(splits, options['val_share'], options['val_seed'])


def _list_images(config_folder: str) -> folders.Listing:
  """Images by split and class; val may be missing."""
  root = folders.root_of(config_folder, 'image_folder')
  listing = {}
  for split in folders.SPLITS:
    folder = root / split
    if folder.is_dir():
      listing[split] = _class_folders(folder)
    elif split != 'val':
      raise DataError(
        f'{root} has no folder {split!r}: images are looked for in '
        f'{folder}/CLASS/*.jpg (or .jpeg, .png).'
      )
  return listing


def _class_folders(folder: pathlib.Path) -> tuple[list[str], list[str]]:
  """Files and class names of a split."""
  files, names, num_others = [], [], 0
  classes = sorted(
    entry.name
    for entry in os.scandir(folder)
    if entry.is_dir() and not entry.name.startswith('.')
  )
  if not classes:
    raise DataError(
      f'{folder} has no folders of classes: images are looked for in '
      f'{folder}/CLASS/*.jpg (or .jpeg, .png).'
    )
  for name in classes:
    inside = [e.name for e in os.scandir(folder / name) if e.is_file()]
    images = sorted(n for n in inside if n.lower().endswith(decode.SUFFIXES))
    if not images:
      raise DataError(
        f'{folder / name} has no .jpg, .jpeg or .png file: put images there, '
        'or take the class out of the data and of the hierarchy.'
      )
    num_others += len(inside) - len(images)
    files += [os.path.join(folder, name, image) for image in images]
    names += [name] * len(images)
  if num_others:
    logging.warning(
      '%d files below %s are not .jpg, .jpeg or .png: left out.',
      num_others,
      folder,
    )
  return files, names


SPEC = Spec(
  read=_read,
  crop_padding=4,
  flip=True,
  group='folder',
  fields=dict(
    channels=Field(3, one_of(1, 3), '3, or 1 for gray images.'),
    val_share=Field(
      0.1,
      SHARE,
      'Part of each class that validates, if there is no folder val.',
    ),
    val_seed=Field(0, at_least(0), 'Fixes which examples validate.'),
  ),
)
