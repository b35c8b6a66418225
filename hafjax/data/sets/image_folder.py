# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Images of the user's own, in a folder a class."""

import os
import pathlib

from absl import logging

from hafjax.data import decode
from hafjax.data.folders import SPLITS
from hafjax.data.folders import Listing
from hafjax.data.folders import labelled
from hafjax.data.folders import root_of
from hafjax.data.spec import VALIDATION_FIELDS
from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.data.spec import image_decoder
from hafjax.data.spec import with_validation
from hafjax.data.splits import DataError
from hafjax.hierarchy import Hierarchy
from hafjax.plugins import fields as f
from hafjax.plugins.fields import Field


def list_images(config_folder: str) -> Listing:
  """ROOT/{train,val,test}/CLASS/*.{jpg,jpeg,png}; val may be missing.

  Raises:
    DataError: if a split or all images of a class are missing.
  """
  root = root_of(config_folder, 'image_folder')
  listing = {}
  for split in SPLITS:
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
  files, names, others = [], [], 0
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
    chosen = sorted(n for n in inside if n.lower().endswith(decode.SUFFIXES))
    if not chosen:
      raise DataError(
        f'{folder / name} holds no .jpg, .jpeg or .png file: put images there, '
        'or take the class out of the data and of the hierarchy.'
      )
    others += len(inside) - len(chosen)
    files += [os.path.join(folder, name, file) for file in chosen]
    names += [name] * len(chosen)
  if others:
    logging.warning(
      '%d files below %s are no .jpg, .jpeg or .png: left out.', others, folder
    )
  return files, names


def _read(hierarchy: Hierarchy, config) -> Splits:
  own = config.folder
  decoder = image_decoder(config, channels=own.channels)
  splits = labelled(list_images(config.data_dir), hierarchy, decoder)
  return with_validation(splits, own.val_share, own.val_seed)


SPEC = Spec(
  read=_read,
  crop_padding=4,
  flip=True,
  group='folder',
  fields=dict(
    channels=Field(3, f.one_of(1, 3), 'Color channels: 3, or 1 for grey.'),
    **VALIDATION_FIELDS,
  ),
)
