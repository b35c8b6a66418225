# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""tieredImageNet-H: 608 classes of ILSVRC 2012 under WordNet."""

from hafjax.data.folders import Listing
from hafjax.data.folders import labelled
from hafjax.data.folders import listed_images
from hafjax.data.folders import root_of
from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.data.spec import image_decoder
from hafjax.hierarchy import Hierarchy


def list_images(config_folder: str) -> Listing:
  """ILSVRC 2012's folders, split by the published lists."""
  root = root_of(config_folder, 'tiered_imagenet_h')
  return listed_images(root, root / 'splits_tieredImageNet-H')


def _read(hierarchy: Hierarchy, config) -> Splits:
  listing = list_images(config.data_dir)
  return labelled(listing, hierarchy, image_decoder(config, 'stretched'))


SPEC = Spec(read=_read, distance='lca_depth', flip=True)
