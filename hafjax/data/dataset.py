# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run's data: its splits, and which examples make up a step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses

from absl import flags
import numpy as np

from hafjax import frames
from hafjax.data import augment
from hafjax.data import decode
from hafjax.data import features
from hafjax.data import imbalance
from hafjax.data import specs
from hafjax.data import splits as splits_lib
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
    kind: of the hierarchy's distances, see `Hierarchy.distances`; None where
      they are the user's own.
    splits: `sources.Arrays` or `images.Files` by name: 'train', 'val', 'test'.
    image_shape: (h, w, c) as the network sees it; (d,) of features.
    mean: per channel, of pixels in [0, 1]; of features, per dimension.
    std: per channel.
    crop_padding: see `specs.Spec`.
    flip: see `specs.Spec`.
    crop_border: see `specs.Spec`.
    workers: processes that make batches on the host; 0 for threads.
  """

  hierarchy: Hierarchy
  distances: np.ndarray
  kind: str | None
  splits: dict[str, splits_lib.Split]
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
      raise splits_lib.DataError(
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
  spec = specs.SPECS[config.dataset]
  hierarchy = _hierarchy(config, spec)
  splits = dict(spec.read(hierarchy, config))
  if 'val' not in splits:
    splits['train'], splits['val'] = splits_lib.hold_out(
      splits['train'], spec.val_per_class
    )
  if not len(splits['val']):
    raise splits_lib.DataError(
      'Nothing is left to validate on, for no class has a second training '
      'example: give a val split, or more examples.'
    )
  kind = config.distance or spec.distance
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
    crop_padding=_given(config.crop_padding, spec.crop_padding),
    flip=_given(config.flip, spec.flip),
    crop_border=spec.crop_border,
    workers=config.get('input', {}).get('workers', 0),
  )
  if config.level is not None:
    data = data.at_level(config.level)
  data = data.thinned(**config.imbalance)
  # Of features, of those that are left to train on.
  mean, std = _statistics(config, spec, data.splits['train'])
  return dataclasses.replace(data, mean=mean, std=std)


def _given(value, default):
  return default if value is None else value


def _hierarchy(config, spec) -> Hierarchy:
  name = config.hierarchy or spec.hierarchy
  if name:
    return load_hierarchy(name)
  if spec.build_hierarchy is not None:
    return spec.build_hierarchy(config)
  raise splits_lib.DataError(
    f'The hierarchy of {config.dataset} does not come with hafjax: name its '
    'file by --config.hierarchy.'
  )


def _network_shape(config, split: splits_lib.Split) -> tuple[int, ...]:
  """Shape of an example as the network sees it."""
  if len(split.example_shape) == 1:
    return split.example_shape
  height, width, channels = split.example_shape
  size = config.image_size or height
  if size < max(height, width):
    raise splits_lib.DataError(
      f'image_size={size} is smaller than the images ({height} x {width}), '
      'and images are padded, never shrunk.'
    )
  return size, size, channels


def _statistics(config, spec, train: splits_lib.Split):
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
      raise splits_lib.DataError(
        f'config.{name} must have a number for each of the {channels} channels '
        f'of the images, got {values}.'
      )
    found.append(values)
  return tuple(found)


def training_order(num_examples: int, batch_size: int, seed: int):
  """Which examples make up each step: a fresh shuffle every epoch.

  Args:
    num_examples: size of the training split.
    batch_size: examples a step. Batches run across epoch boundaries, so that
      every example is seen equally often.
    seed: fixes all of it.

  Returns:
    A sequence: `order[step]` is int64[batch_size], a function of the arguments
    and the step alone, which is why a resumed run needs no iterator state.
  """
  import grain

  return (
    grain.MapDataset.range(num_examples)
    .seed(seed)
    .shuffle()
    .repeat()
    .batch(batch_size)
  )


def evaluation_batches(num_examples: int, batch_size: int):
  """Yields (indices, mask) of equal length that cover every example once.

  The last batch is filled up with example 0, masked out: one compiled shape,
  on any number of devices, and nothing dropped or counted twice.
  """
  for start in range(0, num_examples, batch_size):
    indices = np.arange(start, start + batch_size, dtype=np.int32)
    mask = indices < num_examples
    yield np.where(mask, indices, 0), mask


def training_batches(
  split: splits_lib.Split,
  batch_size: int,
  seed: int,
  start: int,
  stop: int,
  rows: np.ndarray,
  workers: int = 0,
) -> Iterable:
  """Yields (images, labels) of steps on the host, made ahead and in parallel.

  What is random about an image depends on the seed, the step and its place in
  the batch alone: neither on who makes it nor on where a run was continued.

  Args:
    split: has `batch(indices, rng)` and labels.
    batch_size: examples a step.
    seed: fixes everything.
    start: the first step, from 0.
    stop: the step before which they end.
    rows: places in the batch that are made, sorted.
    workers: see `_in_parallel`.
  """
  order = training_order(len(split), batch_size, seed)

  def make(step):
    indices = order[step]
    rng = np.random.default_rng([seed, step])
    return split.batch(indices, rng, rows), split.labels[indices[rows]]

  return _in_parallel(make, range(start, stop), workers)


def measured_batches(
  split: splits_lib.Split, batch_size: int, rows: np.ndarray, workers: int = 0
) -> Iterable:
  """Yields rows of (images, labels, mask) of `evaluation_batches`."""
  batches = list(evaluation_batches(len(split), batch_size))

  def make(number):
    indices, mask = (values[rows] for values in batches[number])
    return split.batch(indices), split.labels[indices], mask

  return _in_parallel(make, range(len(batches)), workers)


def _in_parallel(make: Callable, numbers: range, workers: int) -> Iterable:
  """make(number) for all numbers, in order, a few ahead.

  Args:
    make: a batch's number -> tuple of arrays.
    numbers: consecutive.
    workers: processes, which unpickle `make`; 0 for a thread per CPU core.
  """
  import grain

  batches = grain.MapDataset.range(numbers.start, numbers.stop).map(make)
  threads = 1 if workers else decode.num_cores()
  options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
  batches = batches.to_iter_dataset(options)
  if workers:
    if not flags.FLAGS.is_parsed():
      # Grain reads its own, which outside of our commands nobody has parsed.
      flags.FLAGS.mark_as_parsed()
    batches = batches.mp_prefetch(grain.MultiprocessingOptions(workers))
  return batches
