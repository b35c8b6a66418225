# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST: IDX files, or by TensorFlow Datasets."""

from hafjax.data import idx
from hafjax.data.labels import relabel
from hafjax.data.specs import Spec
from hafjax.data.splits import Arrays
from hafjax.data.tfds import tfds_splits
from hafjax.hierarchy import load_hierarchy

# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FOLDER = '/usr/share/datasets/fashion-mnist'


def _read(hierarchy, config) -> dict[str, Arrays]:
  class_names = load_hierarchy('fashion_mnist').class_names
  folder = config.data_dir or DEBIAN_FOLDER
  if idx.has_idx(folder):
    splits = idx.idx_splits(folder, len(class_names))
  else:
    splits = tfds_splits('fashion_mnist', config.data_dir)
  return relabel(splits, class_names, hierarchy)


SPEC = Spec(
  read=_read,
  mean=(0.2860,),
  std=(0.3530,),
  hierarchy='fashion_mnist',
  val_per_class=500,
  crop_padding=2,
  flip=True,
)
