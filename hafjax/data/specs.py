# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One spec per data set: what it is called, looks like, and hangs under."""

from collections.abc import Callable
import dataclasses

from hafjax import hierarchy as hierarchy_lib
from hafjax.data import sources

Splits = dict[str, sources.Arrays]


@dataclasses.dataclass(frozen=True)
class Spec:
  """A data set.

  Attributes:
    read: (hierarchy, config) -> splits 'train', 'test' and perhaps 'val', with
      labels in the hierarchy's class order; config is the run's.
    mean: per channel, of pixels in [0, 1].
    std: per channel, likewise.
    hierarchy: built-in tree that `config.hierarchy = ''` stands for.
    distance: kind of class distances (`Hierarchy.distances`) that published
      results on this data set use.
    val_per_class: images of each class, the last ones of the training split,
      that validate where there is no validation split.
    crop_padding: pixels of reflected border that the random crop moves in.
    flip: whether half of the training images are mirrored.
  """

  read: Callable[..., Splits]
  mean: tuple[float, ...]
  std: tuple[float, ...]
  hierarchy: str
  distance: str = 'lca_height'
  val_per_class: int = 0
  crop_padding: int = 0
  flip: bool = False


def _read_cifar100(hierarchy, config) -> Splits:
  names = hierarchy_lib.load_hierarchy('cifar100').class_names
  splits = sources.tfds_splits('cifar100', config.data_dir, names)
  return sources.relabel(splits, names, hierarchy)


def _read_fashion_mnist(hierarchy, config) -> Splits:
  names = hierarchy_lib.load_hierarchy('fashion_mnist').class_names
  folder = config.data_dir or sources.DEBIAN_FASHION_MNIST
  if sources.has_idx(folder):
    splits = sources.idx_splits(folder)
  else:
    splits = sources.tfds_splits('fashion_mnist', config.data_dir)
  return sources.relabel(splits, names, hierarchy)


def _read_synthetic(hierarchy, config) -> Splits:
  return sources.synthetic_splits(hierarchy, **config.synthetic)


SPECS = {
  'cifar100': Spec(
    read=_read_cifar100,
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
    hierarchy='cifar100',
    val_per_class=50,
    crop_padding=4,
    flip=True,
  ),
  'fashion_mnist': Spec(
    read=_read_fashion_mnist,
    mean=(0.2860,),
    std=(0.3530,),
    hierarchy='fashion_mnist',
    val_per_class=500,
    crop_padding=2,
    flip=True,
  ),
  'synthetic': Spec(
    read=_read_synthetic,
    mean=(0.5,) * 3,
    std=(0.125,) * 3,
    hierarchy='quickstart',
  ),
}
