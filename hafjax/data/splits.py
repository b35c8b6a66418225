# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where images come from: TFDS, IDX files, or a tree's own diffusion.

A source returns whole splits as arrays in memory; everything random about
*training* (order, augmentation) happens later, from the seed and the step.
"""

import dataclasses
import gzip
import math
import pathlib
import struct
from typing import IO, Any
import zlib

from absl import logging
import numpy as np

from hafjax.errors import UserError
from hafjax.files.arrays import MOST_PER_BYTE
from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.files.text import quote_some
from hafjax.hierarchy import Hierarchy

# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FASHION_MNIST = '/usr/share/datasets/fashion-mnist'

_IDX_UINT8 = 0x08
_SINGLE = np.dtype(np.float32)


class DataError(UserError):
  """A data set that cannot be read; the message says what to do."""


class Rows:
  """Chosen rows of an array that stays where it is: on disk, as a rule."""

  def __init__(self, array: np.ndarray, rows: np.ndarray):
    self._array, self._rows = array, rows
    self.shape = (len(rows), *array.shape[1:])
    self.dtype = array.dtype

  def __getitem__(self, indices) -> np.ndarray:
    return np.asarray(self._array[self._rows[indices]])

  def take(self, indices) -> 'Rows':
    return Rows(self._array, self._rows[indices])

  def __getstate__(self):
    return dict(vars(self), _array=_OnDisk.of(self._array))

  def __setstate__(self, state):
    vars(self).update(state, _array=_OnDisk.opened(state['_array']))


@dataclasses.dataclass(frozen=True)
class _OnDisk:
  """Where a memory map is, for other processes: its pickle is all its bytes.

  Attributes:
    file: path.
    dtype: of the array.
    shape: of the array.
    offset: bytes before it in the file.
    order: 'F' where the first index changes fastest, else 'C'.
  """

  file: str
  dtype: np.dtype
  shape: tuple[int, ...]
  offset: int
  order: str

  @classmethod
  def of(cls, array):
    """Of a whole file's map; anything else as it is."""
    # Views of a map have its offset, which is not theirs.
    if not isinstance(array, np.memmap) or isinstance(array.base, np.memmap):
      return array
    order = 'C' if array.flags.c_contiguous else 'F'
    file = str(array.filename)
    return cls(file, array.dtype, array.shape, array.offset, order)

  @classmethod
  def opened(cls, found):
    """What `of` was given."""
    if not isinstance(found, cls):
      return found
    return np.memmap(
      found.file, found.dtype, 'r', found.offset, found.shape, found.order
    )


@dataclasses.dataclass(frozen=True)
class Arrays:
  """One split in an array, which may be a memory map.

  Attributes:
    images: uint8[N, h, w, c], or features float[N, d].
    labels: class indices, int32[N].
  """

  images: np.ndarray | Rows
  labels: np.ndarray

  def __getstate__(self):
    return dict(vars(self), images=_OnDisk.of(self.images))

  def __setstate__(self, state):
    vars(self).update(state, images=_OnDisk.opened(state['images']))

  def __len__(self) -> int:
    return len(self.labels)

  @property
  def example_shape(self) -> tuple[int, ...]:
    return self.images.shape[1:]

  @property
  def dtype(self) -> np.dtype:
    """Of batches: there is no double precision on the devices."""
    given = self.images.dtype
    # Of files from elsewhere, bytes may be in another order.
    return given.newbyteorder('=') if given.itemsize <= 4 else _SINGLE

  @property
  def nbytes(self) -> int:
    return len(self) * math.prod(self.example_shape) * self.dtype.itemsize

  def take(self, indices: np.ndarray) -> 'Arrays':
    """The examples `indices`; of a memory map, nothing is read."""
    images = self.images
    if isinstance(images, np.memmap):
      images = Rows(images, np.arange(len(images)))
    if isinstance(images, Rows):
      return Arrays(images.take(indices), self.labels[indices])
    return Arrays(images[indices], self.labels[indices])

  def batch(
    self, indices: np.ndarray, rng=None, rows=slice(None)
  ) -> np.ndarray:
    """Examples as they are, at some rows; none of it is random on the host."""
    del rng
    if not isinstance(indices, slice):
      indices = indices[rows]
    return np.asarray(self.images[indices], self.dtype)


# What a split is: `Arrays`, or anything with its methods, as `images.Files`.
Split = Any


def hold_out(split: Split, per_class: int) -> tuple[Split, Split]:
  """Splits off the last `per_class` examples of every class.

  Args:
    split: the official training split, in its published order.
    per_class: validation examples of each class.

  Returns:
    (train, validation), both in the original order.

  Raises:
    DataError: if a class would have nothing left to train on.
  """
  held = np.zeros(len(split), bool)
  for label in np.unique(split.labels):
    members = np.flatnonzero(split.labels == label)
    if len(members) <= per_class:
      raise DataError(
        f'Class {label} has {len(members)} training images, so the last '
        f'{per_class} of each class cannot be held out for validation.'
      )
    held[members[len(members) - per_class :]] = True
  return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))


def hold_out_share(
  split: Split, share: float, seed: int
) -> tuple[Split, Split]:
  """Splits off a random share of every class.

  Args:
    split: of training.
    share: of each class, rounded, but at least one example; a class of one
      example keeps it.
    seed: fixes which.

  Returns:
    (train, validation), both in the original order.
  """
  rng = np.random.default_rng(seed)
  held = np.zeros(len(split), bool)
  for label in np.unique(split.labels):
    members = np.flatnonzero(split.labels == label)
    count = min(max(round(share * len(members)), 1), len(members) - 1)
    held[rng.permutation(members)[:count]] = True
  return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))


# --- IDX files (MNIST's format) ----------------------------------------------


def read_idx(file: str | pathlib.Path) -> np.ndarray:
  """Reads an IDX file of bytes, gzipped or not.

  Args:
    file: path; a name that ends in .gz is decompressed.

  Returns:
    uint8 array of the shape in the file's header.

  Raises:
    DataError: if the file is missing, truncated, or not an IDX file of bytes.
  """
  file = pathlib.Path(file)
  opener = gzip.open if file.suffix == '.gz' else open
  try:
    with opener(file, 'rb') as stream:
      shape = _idx_shape(file, stream)
      expected = math.prod(shape)
      # No more than can come of the file, whatever its header says.
      most = MOST_PER_BYTE * file.stat().st_size
      content = stream.read(min(expected, most) + 1)
  except (OSError, EOFError, zlib.error) as error:
    raise DataError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from error
  if len(content) != expected:
    found = f'{len(content):,} bytes follow'
    if len(content) > expected:
      found = 'more bytes follow'
    raise _damaged_idx(file, shape, found)
  try:
    return np.frombuffer(content, np.uint8).reshape(shape)
  except ValueError as error:  # Of too many axes, or of overflowing ones.
    raise _damaged_idx(file, shape, 'no array is so') from error


def _idx_shape(file: pathlib.Path, stream: IO[bytes]) -> tuple[int, ...]:
  """Reads the header of an IDX file."""
  start = stream.read(4)
  if len(start) < 4 or start[:3] != bytes([0, 0, _IDX_UINT8]) or not start[3]:
    raise DataError(f'{file} is not an IDX file of unsigned bytes.')
  rank = start[3]
  sizes = stream.read(4 * rank)
  if len(sizes) < 4 * rank:
    raise DataError(f'{file} is truncated: it ends before its header does.')
  return struct.unpack(f'>{rank}I', sizes)


def _damaged_idx(file, shape, found: str) -> DataError:
  return DataError(
    f'{file} is truncated or damaged: its header announces shape '
    f'{quote(shape)}, but {found}.'
  )


def _idx_file(folder: pathlib.Path, name: str) -> pathlib.Path:
  zipped = folder / f'{name}.gz'
  return zipped if zipped.exists() else folder / name


def has_idx(folder: str | pathlib.Path) -> bool:
  return _idx_file(pathlib.Path(folder), 'train-images-idx3-ubyte').exists()


def idx_splits(
  folder: str | pathlib.Path, num_classes: int = 10
) -> dict[str, Arrays]:
  """MNIST-like train and test splits from a folder of four IDX files.

  Raises:
    DataError: if a file cannot be read, two do not belong together, or labels
      are not in 0..num_classes - 1.
  """
  folder = pathlib.Path(folder)
  splits = {}
  for split, prefix in (('train', 'train'), ('test', 't10k')):
    image_file = _idx_file(folder, f'{prefix}-images-idx3-ubyte')
    label_file = _idx_file(folder, f'{prefix}-labels-idx1-ubyte')
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
      raise DataError(
        f'{image_file} (shape {images.shape}) and {label_file} (shape '
        f'{labels.shape}) do not belong together.'
      )
    if labels.max(initial=0) >= num_classes:
      raise DataError(
        f'{label_file} has labels up to {labels.max()}, but there are '
        f'{num_classes} classes, from 0 on.'
      )
    splits[split] = Arrays(images[..., None], labels.astype(np.int32))
  return splits


# --- TensorFlow Datasets -----------------------------------------------------


def tfds_builder(name: str, data_dir: str):
  """A prepared TFDS data set, for random access.

  Downloads and prepares on first use, with TFDS's own progress bar.

  Args:
    name: TFDS name, such as 'cifar100'.
    data_dir: where TFDS keeps data sets; '' for its default (~/tensorflow_
      datasets).

  Raises:
    DataError: if the data set is neither prepared nor can be downloaded.
  """
  import requests
  import tensorflow_datasets as tfds

  try:
    # Random access, as Grain reads, needs ArrayRecord files.
    builder = tfds.builder(
      name, data_dir=data_dir or None, file_format='array_record'
    )
    if not builder.is_prepared():
      # TFDS would try for minutes before it gives up without a network.
      requests.head(builder.info.homepage, timeout=10)
    builder.download_and_prepare()
    return builder
  except Exception as error:  # TFDS and its downloaders raise many kinds.
    logging.info('What TFDS said: %s', error)
    raise DataError(
      f'{name} is not prepared in {data_dir or "~/tensorflow_datasets"} and '
      f'could not be downloaded ({type(error).__name__}): prepare it where '
      f'there is a network (python -c "import tensorflow_datasets as tfds; '
      f"tfds.builder('{name}', data_dir='DIR', file_format='array_record')"
      '.download_and_prepare()") and point --config.data_dir at a copy of '
      'DIR, or run --config=configs/quickstart.py, which needs no data.'
    ) from error


def tfds_splits(
  name: str,
  data_dir: str,
  class_names: tuple[str, ...] | None = None,
) -> dict[str, Arrays]:
  """Train and test splits of a data set of small images, in memory.

  Args:
    name: TFDS name, such as 'cifar100'.
    data_dir: see `tfds_builder`.
    class_names: names that TFDS's labels must have, in order; None where TFDS
      spells them in a way of its own.

  Raises:
    DataError: as `tfds_builder`, or if its classes are other ones.
  """
  builder = tfds_builder(name, data_dir)
  found = tuple(builder.info.features['label'].names)
  if class_names is not None and found != class_names:
    raise DataError(
      f'TFDS lists other classes for {name} than its hierarchy: '
      + _name_differences(found, class_names)
    )
  splits = {}
  for split in ('train', 'test'):
    source = builder.as_data_source(split=split)
    # One by one: Grain's threads take twice as long over images of this size.
    examples = [source[index] for index in range(len(source))]
    # TFDS shuffles when it prepares; ids, where there are any, keep the
    # published order, which decides what is held out for validation.
    examples.sort(key=lambda example: example.get('id', b''))
    splits[split] = Arrays(
      np.stack([example['image'] for example in examples]),
      np.asarray([example['label'] for example in examples], np.int32),
    )
  return splits


def _name_differences(found, expected) -> str:
  differences = [
    f'{what} {quote_some(sorted(names))}'
    for what, names in (
      ('only in the data:', set(found) - set(expected)),
      ('only in the hierarchy:', set(expected) - set(found)),
    )
    if names
  ]
  return f'{"; ".join(differences) or "the same names in another order"}.'


def class_table(
  class_names: tuple[str, ...], hierarchy: Hierarchy
) -> np.ndarray:
  """Of each class of the data, its index in the hierarchy; int32[K].

  Raises:
    DataError: if data and hierarchy do not have the same classes.
  """
  if set(class_names) != set(hierarchy.class_names):
    raise DataError(
      'Data and hierarchy have different classes: '
      + _name_differences(class_names, hierarchy.class_names)
    )
  position = {name: i for i, name in enumerate(hierarchy.class_names)}
  return np.array([position[name] for name in class_names], np.int32)


def relabel(
  splits: dict[str, Split],
  class_names: tuple[str, ...],
  hierarchy: Hierarchy,
) -> dict[str, Split]:
  """Renumbers labels from the data's class order to the hierarchy's.

  Raises:
    DataError: if data and hierarchy do not have the same classes.
  """
  table = class_table(class_names, hierarchy)
  return {
    name: dataclasses.replace(split, labels=table[split.labels])
    for name, split in splits.items()
  }


# --- Synthetic hierarchical images -------------------------------------------


def diffusion_templates(
  hierarchy: Hierarchy,
  image_size: int,
  channels: int,
  seed: int,
) -> np.ndarray:
  """Class templates by branching diffusion down the tree.

  Every node's template is its parent's plus an independent smooth random
  field of the same variance, so the covariance of two classes grows with the
  depth of their lowest common ancestor (Saxe, McClelland and Ganguli 2019,
  PNAS 116, in pixels instead of binary features).

  Returns:
    float32[K, image_size, image_size, channels], unit variance over classes'
    pixels on average.
  """
  rng = np.random.default_rng([seed, 0])
  frequencies = np.fft.fftfreq(image_size)[:, None] ** 2
  frequencies = frequencies + np.fft.fftfreq(image_size)[None, :] ** 2
  # Blobs about a sixth of the image wide: large enough to survive a shift.
  lowpass = np.exp(-frequencies * (image_size / 6) ** 2 * 2)[..., None]
  shape = (image_size, image_size, channels)
  templates = np.zeros((hierarchy.num_nodes, *shape), np.float32)
  for node, parent in enumerate(hierarchy.parents):
    if parent < 0:
      continue  # The root's template is common to all classes: left at zero.
    noise = np.fft.fft2(rng.standard_normal(shape), axes=(0, 1))
    field = np.fft.ifft2(noise * lowpass, axes=(0, 1)).real
    templates[node] = templates[parent] + field / field.std()
  leaves = templates[hierarchy.leaves]
  return leaves / leaves.std()


def synthetic_splits(
  hierarchy: Hierarchy,
  *,
  image_size: int,
  channels: int = 3,
  train_per_class: int,
  val_per_class: int,
  test_per_class: int,
  noise: float,
  max_shift: int,
  seed: int = 0,
) -> dict[str, Arrays]:
  """Images whose similarities follow a tree, for any tree and size.

  An image is its class's template (see `diffusion_templates`), cyclically
  shifted by up to `max_shift` pixels each way, plus white noise.

  Args:
    hierarchy: any tree.
    image_size: height and width in pixels.
    channels: colour channels.
    train_per_class: training images of each class, and so on for the others.
    val_per_class: validation images of each class.
    test_per_class: test images of each class.
    noise: standard deviation of the noise; the templates' is 1.
    max_shift: largest shift in pixels, inclusive.
    seed: fixes templates and images; `seed` is the data set, not the run.

  Returns:
    Arrays by split name.
  """
  templates = diffusion_templates(hierarchy, image_size, channels, seed)
  splits = {}
  counts = dict(train=train_per_class, val=val_per_class, test=test_per_class)
  for number, (split, per_class) in enumerate(counts.items()):
    rng = np.random.default_rng([seed, 1 + number])
    labels = np.repeat(np.arange(hierarchy.num_classes), per_class)
    shifts = rng.integers(-max_shift, max_shift + 1, (2, len(labels), 1))
    rows, columns = (np.arange(image_size) + shifts) % image_size
    example = labels[:, None, None]
    images = templates[example, rows[:, :, None], columns[:, None, :]]
    images = images + noise * rng.standard_normal(images.shape, np.float32)
    # Four standard deviations fill the byte range.
    scale = 255 / (8 * np.sqrt(1 + noise**2))
    images = np.clip(np.round(127.5 + scale * images), 0, 255)
    splits[split] = Arrays(images.astype(np.uint8), labels.astype(np.int32))
  return splits
