# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""FGVC-Aircraft: 10,000 photographs of 100 variants of aircraft."""

import os

from hafjax.data.folders import SPLITS
from hafjax.data.folders import Listing
from hafjax.data.folders import check_files_exist
from hafjax.data.folders import labelled
from hafjax.data.folders import read_lines
from hafjax.data.folders import root_of
from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.data.spec import image_decoder
from hafjax.data.splits import DataError
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import builders


def list_images(config_folder: str) -> Listing:
  """The official layout: images/ID.jpg, and lists of ID and variant by split.

  The folder is that of the archive, fgvc-aircraft-2013b, or data/ in it.
  """
  root = root_of(config_folder, 'fgvc_aircraft')
  if (root / 'data' / 'images').is_dir():
    root = root / 'data'
  listing = {}
  for split in SPLITS:
    file = root / f'images_variant_{split}.txt'
    lines = read_lines(file)
    for number, line in enumerate(lines, 1):
      if ' ' not in line:
        raise DataError(
          f'{file}, line {number}: an image and its variant are wanted, got '
          f'{line!r}.'
        )
    pairs = [line.split(' ', 1) for line in lines]
    files = [os.path.join(root, 'images', f'{name}.jpg') for name, _ in pairs]
    check_files_exist(files, file)
    listing[split] = files, [variant for _, variant in pairs]
  return listing


def published_variant(name: str) -> str:
  """How the published tree of FGVC-Aircraft spells a variant."""
  return 'v-' + name.replace('/', '-slash-')


def _read(hierarchy, config) -> Splits:
  listing = list_images(config.data_dir)
  # The last 20 rows of every image are a banner with its photographer's name.
  how = image_decoder(config, cut_bottom=20)
  names = {name: published_variant(name) for name in listing['train'][1]}
  return labelled(listing, hierarchy, how, [names])


def _tree(config) -> Hierarchy:
  root = root_of(config.data_dir, 'fgvc_aircraft')
  return builders.from_fgvc_aircraft(root)


SPEC = Spec(
  read=_read,
  build_hierarchy=_tree,
  mean=(0.4881, 0.5192, 0.5438),
  std=(0.2148, 0.2068, 0.2394),
  crop_padding=4,
  crop_border='zero',
  flip=True,
)
