# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The data of a run: its hierarchy, its splits, and what inputs go through."""

from collections.abc import Mapping, Sequence
import dataclasses

import numpy as np

from hafjax import frames
from hafjax.data import augment
from hafjax.data import decode
from hafjax.data import features
from hafjax.data import imbalance
from hafjax.data import specs
from hafjax.data.errors import DataError
from hafjax.data.specs import Spec
from hafjax.data.splits import Split
from hafjax.data.splits import hold_out
from hafjax.hierarchy import KINDS
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy


@dataclasses.dataclass(frozen=True)
class DataSet:
  """Everything that training and evaluation need to know of the data.

  Attributes:
    hierarchy: the tree; labels are indices into its `class_names`.
    distances: [K, K] between classes: int32, the hierarchy's, or float64, the
      user's own.
    kind: which of the hierarchy's distances, see `Hierarchy.distances`; None
      where they are the user's own.
    splits: by name: 'train', 'val', 'test'.
    image_shape: (h, w, c) as the network sees it; (d,) of features.
    mean: per channel, of pixels in [0, 1]; of features, per dimension.
    std: standard deviation, likewise.
    crop_padding: see `Spec`.
    flip: see `Spec`.
    crop_border: see `Spec`.
    workers: processes that make batches on the host; 0 for threads.
  """

  hierarchy: Hierarchy
  distances: np.ndarray
  kind: str | None
  splits: dict[str, Split]
  image_shape: tuple[int, ...]
  mean: tuple[float, ...] | np.ndarray
  std: tuple[float, ...] | np.ndarray
  crop_padding: int
  flip: bool
  crop_border: str = 'reflect'
  workers: int = 0

  def at_level(self, level: int) -> 'DataSet':
    """The same images, labeled by the ancestors of their classes at a depth.

    Raises:
      DataError: if distances are the user's own, which say nothing of these.
      HierarchyError: as `Hierarchy.at_level`.
    """
    if self.kind is None:
      raise DataError(
        'config.level needs distances of the hierarchy: leave config.distance '
        "empty, or say 'lca_height' or 'lca_depth'."
      )
    tree = self.hierarchy.at_level(level)
    labels = self.hierarchy.level_labels(level)
    return dataclasses.replace(
      self,
      hierarchy=tree,
      distances=tree.distances(self.kind),
      splits={
        name: split.with_labels(labels[split.labels])
        for name, split in self.splits.items()
      },
    )

  def thinned(self, counts: Sequence[int], factor: float) -> 'DataSet':
    """With fewer training examples, see `imbalance.class_counts`.

    The first ones of every class stay; other splits are as they were.

    Raises:
      DataError: if there are fewer than that.
    """
    train = self.splits['train']
    available = np.bincount(train.labels, minlength=self.hierarchy.num_classes)
    counts = imbalance.class_counts(available, counts, factor)
    if (counts == available).all():
      return self
    chosen = imbalance.first_of_each(train.labels, counts)
    splits = self.splits | dict(train=train.take(chosen))
    return dataclasses.replace(self, splits=splits)

  def decoded(self, config: Mapping) -> 'DataSet':
    """With the splits of image files decoded once for all, if they are small.

    Args:
      config: the group `input`, see `configs/common.py`.

    Raises:
      DataError: if an image cannot be read, or the result cannot be kept.
    """
    files = {
      name: split
      for name, split in self.splits.items()
      if isinstance(split, decode.Files)
      and not split.are_streams
      and not (name == 'train' and split.decoder.random_crop)
    }
    limit = config.get('memory_gib', 0) * 2**30
    if sum(split.nbytes for split in files.values()) > limit:
      return self
    folder = decode.cache_folder(config.get('cache_dir', ''))
    splits = self.splits | {
      name: decode.decoded(split, folder, name) for name, split in files.items()
    }
    return dataclasses.replace(self, splits=splits)

  def preprocess(self, images, key=None):
    """Examples to network inputs; images are augmented if there is a key."""
    if images.ndim == 2:
      return augment.standardize(images, self.mean, self.std)
    images = augment.zero_pad(images, self.image_shape[0])
    if key is not None:
      images = augment.crop_and_flip(
        images, key, self.crop_padding, self.flip, self.crop_border
      )
    return augment.normalize(images, self.mean, self.std)


# --- From a config ------------------------------------------------------------


def load_dataset(config) -> DataSet:
  """Reads the data set that a config names and decodes its images."""
  return open_dataset(config).decoded(config.get('input', {}))


def open_dataset(config) -> DataSet:
  """Reads the data set that a config names; images in files are only listed.

  Args:
    config: the fields of its section on data, see `configs/common.py`, and the
      group that the data set has of its own.

  Raises:
    PluginError: if there is no such data set.
    DataError: if the data cannot be read, or does not fit the hierarchy.
    HierarchyError: if the hierarchy's file is bad.
    FrameError: if a file of distances is bad.
  """
  spec = specs.spec(config.dataset)
  hierarchy = _hierarchy(config, spec)
  splits = _splits(config, spec, hierarchy)
  distances, kind = _distances(config, spec, hierarchy)
  data = DataSet(
    hierarchy=hierarchy,
    distances=distances,
    kind=kind,
    splits=splits,
    image_shape=_network_shape(config, splits['train']),
    mean=(),
    std=(),
    crop_padding=_or_default(config.crop_padding, spec.crop_padding),
    flip=_or_default(config.flip, spec.flip),
    crop_border=spec.crop_border,
    workers=config.get('input', {}).get('workers', 0),
  )
  if config.level is not None:
    data = data.at_level(config.level)
  data = data.thinned(**config.imbalance)
  # Of features, over the examples that are left to train on.
  mean, std = _statistics(config, spec, data.splits['train'])
  return dataclasses.replace(data, mean=mean, std=std)


def _or_default(value, default):
  return default if value is None else value


def _hierarchy(config, spec: Spec) -> Hierarchy:
  name = config.hierarchy or spec.hierarchy
  if name:
    return load_hierarchy(name)
  if spec.build_hierarchy is not None:
    return spec.build_hierarchy(config)
  raise DataError(
    f'The hierarchy of {config.dataset} does not come with hafjax: name its '
    'file by --config.hierarchy.'
  )


def _splits(config, spec: Spec, hierarchy: Hierarchy) -> dict[str, Split]:
  """All three splits; validation is held out where there is none."""
  splits = dict(spec.read(hierarchy, config))
  if 'val' not in splits:
    train, val = hold_out(splits['train'], spec.val_per_class)
    splits |= dict(train=train, val=val)
  if not len(splits['val']):
    raise DataError(
      'Nothing is left to validate on, for no class has a second training '
      'example: give a val split, or more examples.'
    )
  return splits


def _distances(config, spec: Spec, hierarchy: Hierarchy):
  """Distances of classes, and which of the hierarchy's, None for a file's."""
  kind = config.distance or spec.distance
  if kind in KINDS:
    return hierarchy.distances(kind), kind
  return frames.load_distances(kind, hierarchy.class_names), None


def _network_shape(config, split: Split) -> tuple[int, ...]:
  """Shape of an example as the network sees it."""
  if len(split.example_shape) == 1:
    return split.example_shape
  height, width, channels = split.example_shape
  size = config.image_size or height
  if size < max(height, width):
    raise DataError(
      f'image_size={size} is smaller than the images ({height} x {width}), '
      'and images are padded, never shrunk.'
    )
  return size, size, channels


def _statistics(config, spec: Spec, train: Split):
  """Mean and standard deviation that inputs are standardized by."""
  if len(train.example_shape) == 1:
    if spec.options(config).get('standardise', True):
      return features.statistics(train)
    width = train.example_shape[0]
    return np.zeros(width, np.float32), np.ones(width, np.float32)
  return tuple(
    _per_channel(name, config, spec, train.example_shape[2])
    for name in ('mean', 'std')
  )


def _per_channel(name, config, spec: Spec, channels: int) -> tuple[float, ...]:
  """The config's or the data set's 'mean' or 'std'."""
  values = tuple(_or_default(config.get(name), getattr(spec, name)))
  if len(values) == 3 and channels == 1:
    # Of gray images, the average over the color channels.
    values = (sum(values) / 3,)
  if len(values) != channels:
    raise DataError(
      f'config.{name} must have a number for each of the {channels} channels '
      f'of the images, got {values}.'
    )
  return values
