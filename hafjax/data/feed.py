# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batches of a data set on the devices."""

from collections.abc import Iterator

import jax
import numpy as np

from hafjax.data import sampling
from hafjax.data import splits
from hafjax.data.dataset import DataSet
from hafjax.runtime.devices import Devices

# Splits of up to so many bytes are kept on each device; larger ones, and those
# that are decoded when they are needed, come from the host batch by batch.
RESIDENT_BYTES = 2 * 2**30


class DeviceFeed:
  """Puts the batches of a data set onto devices.

  Attributes:
    data: what batches are made of.
    devices: where they go.
  """

  def __init__(self, data: DataSet, devices: Devices):
    self.data, self.devices = data, devices
    self._sources = {}
    self._gather = jax.jit(self.gather, out_shardings=devices.batch)

  def training_batches(
    self, batch_size: int, seed: int, start: int, stop: int
  ) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Yields (images, labels) of the steps start, ..., stop - 1.

    They depend on the arguments alone, which is why a resumed run needs no
    iterator state.
    """
    split = self.data.splits['train']
    if not self._is_resident(split):
      rows = self.devices.local_rows(batch_size)
      batches = sampling.training_batches(
        split, batch_size, seed, start, stop, rows, self.data.workers
      )
      yield from self._transfer(batches, batch_size, rows)
      return
    source = self.source('train')
    order = sampling.training_order(len(split), batch_size, seed)
    for step in range(start, stop):
      indices = order[step].astype(np.int32)
      yield self._gather(source, self.devices.put(indices, self.devices.batch))

  def batches(
    self, split: str, batch_size: int
  ) -> Iterator[tuple[jax.Array, jax.Array, jax.Array]]:
    """Yields (images, labels, mask) that cover a split, every example once.

    They are gathered by a program of their own, so that what evaluates them is
    compiled once and not for each size of a split.
    """
    examples = self.data.splits[split]
    if not self._is_resident(examples):
      rows = self.devices.local_rows(batch_size)
      batches = sampling.measured_batches(
        examples, batch_size, rows, self.data.workers
      )
      yield from self._transfer(batches, batch_size, rows)
      return
    source = self.source(split)
    for batch in sampling.evaluation_batches(len(examples), batch_size):
      indices, mask = self.devices.put(batch, self.devices.batch)
      yield *self._gather(source, indices), mask

  def source(self, split: str) -> tuple[jax.Array, jax.Array]:
    """A whole split on the devices, (images, labels).

    An argument of what is compiled, so as not to become a constant of it.
    """
    if split not in self._sources:
      arrays = self.data.splits[split]
      images = arrays.batch(slice(None))
      self._sources[split] = self.devices.put((images, arrays.labels))
    return self._sources[split]

  def gather(self, source: tuple[jax.Array, jax.Array], indices: jax.Array):
    """(images, labels) of a batch; for use in what is compiled."""
    batch = (source[0][indices], source[1][indices])
    return jax.lax.with_sharding_constraint(batch, self.devices.batch)

  def _is_resident(self, split: splits.Split) -> bool:
    """Whether a split is kept on the devices as a whole."""
    return isinstance(split, splits.Arrays) and split.nbytes <= RESIDENT_BYTES

  def _transfer(self, batches, batch_size: int, rows: np.ndarray) -> Iterator:
    """Batches from the host, each transferred while the one before is used.

    Args:
      batches: tuples of arrays, each the `rows` of a batch.
      batch_size: of the whole batch.
      rows: those of this process.
    """
    coming = None
    for parts in batches:
      batch, coming = (
        coming,
        tuple(
          self.devices.put_rows(np.asarray(part), rows, batch_size)
          for part in parts
        ),
      )
      if batch is not None:
        yield batch
    if coming is not None:
      yield coming
