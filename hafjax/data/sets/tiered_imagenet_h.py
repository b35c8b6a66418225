# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""tieredImageNet-H: folders of ILSVRC 2012, split by the published lists."""

from hafjax.data import folders
from hafjax.data.decode import Files
from hafjax.data.decode import ImageDecoder
from hafjax.data.specs import Spec


def _read(hierarchy, config) -> dict[str, Files]:
  root = folders.root_of(config.data_dir, 'tiered_imagenet_h')
  listing = folders.listed_images(root, root / 'splits_tieredImageNet-H')
  decoder = ImageDecoder.from_config(config, 'stretched')
  return folders.labeled(listing, hierarchy, decoder)


SPEC = Spec(read=_read, distance='lca_depth', flip=True)
