# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST: 70,000 grey images of 28 x 28 pixels in 10 classes."""

from hafjax.data import tfds
from hafjax.data.idx import has_idx
from hafjax.data.idx import idx_splits
from hafjax.data.labels import relabel
from hafjax.data.spec import Spec
from hafjax.data.spec import Splits
from hafjax.hierarchy import load_hierarchy

# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN = '/usr/share/datasets/fashion-mnist'


def _read(hierarchy, config) -> Splits:
  names = load_hierarchy('fashion_mnist').class_names
  folder = config.data_dir or DEBIAN
  if has_idx(folder):
    splits = idx_splits(folder, len(names))
  else:
    splits = tfds.tfds_splits('fashion_mnist', config.data_dir)
  return relabel(splits, names, hierarchy)


SPEC = Spec(
  read=_read,
  mean=(0.2860,),
  std=(0.3530,),
  hierarchy='fashion_mnist',
  val_per_class=500,
  crop_padding=2,
  flip=True,
)
