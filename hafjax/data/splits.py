# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Splits: examples with labels, in memory or on disk."""

import dataclasses
import math
from typing import Protocol

import numpy as np

from hafjax.errors import UserError

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


class Split(Protocol):
  """Examples of a split with their labels: `Arrays`, or `decode.Files`.

  Attributes:
    labels: class indices, int32[N].
  """

  labels: np.ndarray

  def __len__(self) -> int:
    """N."""

  @property
  def example_shape(self) -> tuple[int, ...]:
    """(h, w, c) of images, (d,) of features."""

  @property
  def dtype(self) -> np.dtype:
    """Of batches: uint8 of images."""

  @property
  def nbytes(self) -> int:
    """Of all examples as `batch` returns them."""

  def take(self, indices: np.ndarray) -> 'Split':
    """The examples `indices`, in that order."""

  def batch(self, indices, rng=None, rows=slice(None)) -> np.ndarray:
    """The examples `indices[rows]`, [B, ...]; `rng` draws random crops."""


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
