# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A split of a data set: what it offers, arrays, and parts held out of it.

Everything random about training (order, augmentation) happens later, from the
seed and the step.
"""

import dataclasses
import math
from typing import Protocol, runtime_checkable

import numpy as np

from hafjax.data.errors import DataError

_SINGLE = np.dtype(np.float32)


@runtime_checkable
class Split(Protocol):
  """Labeled examples: `Arrays`, `decode.Files`, or a class of your own.

  Splits are immutable. Where examples are made in other processes
  (`DataSet.workers`), a split is pickled: it should refer to files, not hold
  their content.
  """

  @property
  def labels(self) -> np.ndarray:
    """Class indices in the hierarchy's order, int32[N]."""

  @property
  def example_shape(self) -> tuple[int, ...]:
    """(h, w, c) of images as `batch` gives them, (d,) of features."""

  @property
  def dtype(self) -> np.dtype:
    """Of what `batch` gives."""

  @property
  def nbytes(self) -> int:
    """Bytes of all examples together, as `batch` gives them."""

  def __len__(self) -> int:
    """Number of examples, N."""

  def take(self, indices: np.ndarray) -> 'Split':
    """The examples at `indices`, int[M], in that order."""

  def with_labels(self, labels: np.ndarray) -> 'Split':
    """The same examples with other labels, int32[N]."""

  def batch(
    self,
    indices: np.ndarray,
    rng: np.random.Generator | None = None,
    rows: np.ndarray | slice = slice(None),
  ) -> np.ndarray:
    """Examples of a batch, [R, *example_shape].

    Args:
      indices: of the whole batch, int[B].
      rng: of the training step, for what is random about an example; it must
        depend on the example's position in the batch, not on `rows`. None when
        evaluating.
      rows: positions in the batch whose examples are made, R of them; all by
        default. Several processes each make their own.
    """


# --- Arrays -------------------------------------------------------------------


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
  """Location of a memory map, pickled in its place.

  A memory map's own pickle is all its bytes.

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
    """The location of a whole file's map; any other array as it is."""
    # Views of a map have its offset, which is not theirs.
    if not isinstance(array, np.memmap) or isinstance(array.base, np.memmap):
      return array
    order = 'C' if array.flags.c_contiguous else 'F'
    file = str(array.filename)
    return cls(file, array.dtype, array.shape, array.offset, order)

  @classmethod
  def opened(cls, array):
    """The array that `of` was called with."""
    if not isinstance(array, cls):
      return array
    return np.memmap(
      array.file, array.dtype, 'r', array.offset, array.shape, array.order
    )


@dataclasses.dataclass(frozen=True)
class Arrays:
  """A `Split` in an array, which may be a memory map.

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
    """Of batches, in native byte order; float32 in place of float64."""
    dtype = self.images.dtype
    return dtype.newbyteorder('=') if dtype.itemsize <= 4 else _SINGLE

  @property
  def nbytes(self) -> int:
    return len(self) * math.prod(self.example_shape) * self.dtype.itemsize

  def take(self, indices: np.ndarray) -> 'Arrays':
    """The examples at `indices`; of a memory map, nothing is read."""
    images = self.images
    if isinstance(images, np.memmap):
      images = Rows(images, np.arange(len(images)))
    if isinstance(images, Rows):
      return Arrays(images.take(indices), self.labels[indices])
    return Arrays(images[indices], self.labels[indices])

  def with_labels(self, labels: np.ndarray) -> 'Arrays':
    return Arrays(self.images, labels)

  def batch(
    self, indices: np.ndarray, rng=None, rows=slice(None)
  ) -> np.ndarray:
    """Examples as they are; nothing about them is random on the host."""
    del rng
    if not isinstance(indices, slice):
      indices = indices[rows]
    return np.asarray(self.images[indices], self.dtype)


# --- Validation ---------------------------------------------------------------


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


def with_validation(
  splits: dict[str, Split], share: float, seed: int
) -> dict[str, Split]:
  """Splits with 'val': their own, or held out by `hold_out_share`."""
  if 'val' in splits:
    return splits
  train, val = hold_out_share(splits['train'], share, seed)
  return splits | dict(train=train, val=val)
