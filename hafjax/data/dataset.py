# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The data set of a run: its splits, classes and preprocessing."""

from collections.abc import Mapping, Sequence
import dataclasses

import numpy as np

from hafjax import frames
from hafjax import plugins
from hafjax.data import augment
from hafjax.data import decode
from hafjax.data import features
from hafjax.data import imbalance
from hafjax.data.spec import Spec
from hafjax.data.splits import DataError
from hafjax.data.splits import Split
from hafjax.data.splits import hold_out
from hafjax.hierarchy import KINDS
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy

# A module a data set.
_SETS = 'hafjax.data.sets'


@dataclasses.dataclass(frozen=True)
class DataSet:
  """Everything that training and evaluation need to know of the data.

  Attributes:
    hierarchy: the tree; labels are indices into its `class_names`.
    distances: [K, K] between classes: int32, the hierarchy's, or float64, the
      user's own.
    kind: of the hierarchy's distances, see `Hierarchy.distances`; None where
      they are the user's own.
    splits: `sources.Arrays` or `images.Files` by name: 'train', 'val', 'test'.
    image_shape: (h, w, c) as the network sees it; (d,) of features.
    mean: per channel, of pixels in [0, 1]; of features, per dimension.
    std: per channel.
    crop_padding: see `spec.Spec`.
    flip: see `spec.Spec`.
    crop_border: see `spec.Spec`.
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
    """The same images, labelled by the ancestors of their classes at a depth.

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
        name: dataclasses.replace(split, labels=labels[split.labels])
        for name, split in self.splits.items()
      },
    )

  def thinned(self, counts: Sequence[int], factor: float) -> 'DataSet':
    """With fewer training examples, see `imbalance.class_counts`.

    The first ones of every class stay; other splits are as they were.

    Raises:
      DataError: if there are not as many.
    """
    train = self.splits['train']
    available = np.bincount(train.labels, minlength=self.hierarchy.num_classes)
    wanted = imbalance.class_counts(available, counts, factor)
    if (wanted == available).all():
      return self
    chosen = imbalance.first_of_each(train.labels, wanted)
    splits = self.splits | dict(train=train.take(chosen))
    return dataclasses.replace(self, splits=splits)

  def decoded(self, config: Mapping) -> 'DataSet':
    """With splits of files that are small enough decoded, once for all.

    Args:
      config: the group `input`, see `configs/common.py`.

    Raises:
      DataError: if an image cannot be read, or the result cannot be kept.
    """
    small = {
      name: split
      for name, split in self.splits.items()
      if isinstance(split, decode.Files)
      and not split.are_streams
      and not (name == 'train' and split.how.random_crop)
    }
    limit = config.get('memory_gib', 0) * 2**30
    if sum(split.nbytes for split in small.values()) > limit:
      return self
    folder = decode.cache_folder(config.get('cache_dir', ''))
    splits = self.splits | {
      name: decode.decoded(split, folder, name) for name, split in small.items()
    }
    return dataclasses.replace(self, splits=splits)

  def preprocess(self, images, key=None):
    """Examples to what the network sees; images augmented if there is a key."""
    if images.ndim == 2:
      return augment.standardise(images, self.mean, self.std)
    images = augment.zero_pad(images, self.image_shape[0])
    if key is not None:
      images = augment.crop_and_flip(
        images, key, self.crop_padding, self.flip, self.crop_border
      )
    return augment.normalise(images, self.mean, self.std)


def names() -> tuple[str, ...]:
  """Names of the data sets that come with hafjax."""
  return plugins.plugin_names(_SETS)


def spec(name: str) -> Spec:
  """The spec of a data set, by its name or the dotted name of a module.

  Raises:
    PluginError: if there is none.
  """
  return plugins.plugin(_SETS, name, 'data set').SPEC


def load_dataset(config) -> DataSet:
  """Reads the data set that a config names, see `listed`, and decodes it."""
  return open_dataset(config).decoded(config.get('input', {}))


def open_dataset(config) -> DataSet:
  """Reads the data set that a config names; images in files are only listed.

  Args:
    config: the fields of its section on data, see `configs/common.py`, and the
      group that the data set has of its own.

  Raises:
    DataError: if the data cannot be had, or does not fit the hierarchy.
    HierarchyError: if the hierarchy's file is bad.
    FrameError: if a file of distances is bad.
  """
  own = spec(config.dataset)
  hierarchy = _hierarchy(config, own)
  splits = dict(own.read(hierarchy, config))
  if 'val' not in splits:
    splits['train'], splits['val'] = hold_out(
      splits['train'], own.val_per_class
    )
  if not len(splits['val']):
    raise DataError(
      'Nothing is left to validate on, for no class has a second training '
      'example: give a val split, or more examples.'
    )
  kind = config.distance or own.distance
  if kind in KINDS:
    distances = hierarchy.distances(kind)
  else:
    distances = frames.load_distances(kind, hierarchy.class_names)
    kind = None
  data = DataSet(
    hierarchy=hierarchy,
    distances=distances,
    kind=kind,
    splits=splits,
    image_shape=_network_shape(config, splits['train']),
    mean=(),
    std=(),
    crop_padding=_given(config.crop_padding, own.crop_padding),
    flip=_given(config.flip, own.flip),
    crop_border=own.crop_border,
    workers=config.get('input', {}).get('workers', 0),
  )
  if config.level is not None:
    data = data.at_level(config.level)
  data = data.thinned(**config.imbalance)
  # Of features, of those that are left to train on.
  mean, std = _statistics(config, own, data.splits['train'])
  return dataclasses.replace(data, mean=mean, std=std)


def _given(value, default):
  return default if value is None else value


def _hierarchy(config, spec) -> Hierarchy:
  name = config.hierarchy or spec.hierarchy
  if name:
    return load_hierarchy(name)
  if spec.build_hierarchy is not None:
    return spec.build_hierarchy(config)
  raise DataError(
    f'The hierarchy of {config.dataset} does not come with hafjax: name its '
    'file by --config.hierarchy.'
  )


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


def _statistics(config, spec, train: Split):
  """Mean and standard deviation that inputs are standardised by."""
  if len(train.example_shape) == 1:
    if config.features.standardise:
      return features.statistics(train)
    width = train.example_shape[0]
    return np.zeros(width, np.float32), np.ones(width, np.float32)
  found = []
  for name in ('mean', 'std'):
    values = tuple(_given(config.get(name), getattr(spec, name)))
    channels = train.example_shape[2]
    if len(values) == 3 and channels == 1:
      # Of grey images, what colours have on average.
      values = (sum(values) / 3,)
    if len(values) != channels:
      raise DataError(
        f'config.{name} must have a number for each of the {channels} channels '
        f'of the images, got {values}.'
      )
    found.append(values)
  return tuple(found)
