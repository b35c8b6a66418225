# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""FGVC-Aircraft: 100 variants of aircraft (Maji et al., arXiv 1306.5151)."""

import os

from hafjax.data import folders
from hafjax.data.decode import Files
from hafjax.data.decode import ImageDecoder
from hafjax.data.errors import DataError
from hafjax.data.specs import Spec
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import builders

# Rows at the bottom of every image: a banner with its photographer's name.
_BANNER = 20


def _read(hierarchy, config) -> dict[str, Files]:
  listing = list_images(config.data_dir)
  decoder = ImageDecoder.from_config(config, cut_bottom=_BANNER)
  published = {name: _published_name(name) for name in listing['train'][1]}
  return folders.labeled(listing, hierarchy, decoder, [published])


def _tree(config) -> Hierarchy:
  root = folders.root_of(config.data_dir, 'fgvc_aircraft')
  return builders.from_fgvc_aircraft(root)


def list_images(config_folder: str) -> folders.Listing:
  """The official layout: images/ID.jpg, and lists of ID and variant by split.

  The folder is that of the archive, fgvc-aircraft-2013b, or data/ in it.

  Raises:
    DataError: if a list or an image is missing, or a list is malformed.
  """
  root = folders.root_of(config_folder, 'fgvc_aircraft')
  if (root / 'data' / 'images').is_dir():
    root = root / 'data'
  listing = {}
  for split in folders.SPLITS:
    file = root / f'images_variant_{split}.txt'
    lines = folders.read_lines(file)
    for number, line in enumerate(lines, 1):
      if ' ' not in line:
        raise DataError(
          f'{file}, line {number}: expected an image and its variant, got '
          f'{line!r}.'
        )
    pairs = [line.split(' ', 1) for line in lines]
    files = [os.path.join(root, 'images', f'{name}.jpg') for name, _ in pairs]
    folders.check_exist(files, file)
    listing[split] = files, [variant for _, variant in pairs]
  return listing


def _published_name(variant: str) -> str:
  """A variant as the published tree of FGVC-Aircraft spells it."""
  return 'v-' + variant.replace('/', '-slash-')


SPEC = Spec(
  read=_read,
  build_hierarchy=_tree,
  mean=(0.4881, 0.5192, 0.5438),
  std=(0.2148, 0.2068, 0.2394),
  crop_padding=4,
  crop_border='zero',
  flip=True,
)
