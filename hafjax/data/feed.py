# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batches of a data set on the devices."""

from collections.abc import Iterator

import jax
import numpy as np

from hafjax.data import sampling
from hafjax.data.dataset import DataSet
from hafjax.data.splits import Arrays
from hafjax.data.splits import Split
from hafjax.runtime.devices import Devices
from hafjax.runtime.devices import array_from_blocks

# Splits of up to so much are kept on each device; larger ones, and those that
# are decoded as they are needed, come from the host batch by batch.
RESIDENT_BYTES = 2 * 2**30


class DeviceFeed:
  """Batches of a data set's splits, sharded over the devices.

  Small splits are placed on the devices whole, when they are first used.
  """

  def __init__(self, data: DataSet, devices: Devices):
    self._data, self._devices = data, devices
    self._arrays = {}
    self._gathered = jax.jit(self._gather, out_shardings=devices.batch)

  def source(self, split: str) -> tuple[jax.Array, jax.Array]:
    """A split's images and labels: arguments, so as not to be compiled in."""
    if split not in self._arrays:
      arrays = self._data.splits[split]
      everything = arrays.batch(slice(None))
      self._arrays[split] = self._devices.put((everything, arrays.labels))
    return self._arrays[split]

  def training_batches(
    self, batch_size: int, seed: int, start: int, stop: int
  ) -> Iterator:
    """Yields (images, labels) of the steps start, ..., stop - 1.

    A function of the arguments alone, which is why a resumed run needs no
    iterator state.
    """
    split = self._data.splits['train']
    if not self._fits(split):
      rows = self._rows(batch_size)
      batches = sampling.training_batches(
        split, batch_size, seed, start, stop, rows, self._data.workers
      )
      yield from self._ahead(batches, batch_size, rows)
      return
    source = self.source('train')
    order = sampling.training_order(len(split), batch_size, seed)
    for step in range(start, stop):
      indices = self._devices.put(order[step].astype(np.int32), sharded=True)
      yield self._gathered(source, indices)

  def batches(self, split: str, batch_size: int) -> Iterator:
    """Yields (images, labels, mask) that cover a split, every example once.

    Gathered before they are measured, so that what measures them is compiled
    once and not for each size of a split.
    """
    examples = self._data.splits[split]
    if not self._fits(examples):
      rows = self._rows(batch_size)
      batches = sampling.measured_batches(
        examples, batch_size, rows, self._data.workers
      )
      yield from self._ahead(batches, batch_size, rows)
      return
    source = self.source(split)
    for batch in sampling.evaluation_batches(len(examples), batch_size):
      indices, mask = self._devices.put(batch, sharded=True)
      yield *self._gathered(source, indices), mask

  def _fits(self, split: Split) -> bool:
    """Whether a split is kept on the devices, whole."""
    return isinstance(split, Arrays) and split.nbytes <= RESIDENT_BYTES

  def _ahead(self, batches: Iterator, batch_size: int, rows) -> Iterator:
    """Batches from the host, each on its way while the last is used.

    Args:
      batches: of tuples of arrays, each the `rows` of a batch.
      batch_size: of the whole batch.
      rows: this process's.
    """

    def place(part):
      def block(index):
        first, last, _ = index[0].indices(batch_size)
        return part[np.searchsorted(rows, first) : np.searchsorted(rows, last)]

      return array_from_blocks(
        (batch_size, *part.shape[1:]), self._devices.batch, block
      )

    coming = None
    for batch in batches:
      batch, coming = coming, tuple(place(np.asarray(part)) for part in batch)
      if batch is not None:
        yield batch
    if coming is not None:
      yield coming

  def _rows(self, batch_size: int) -> np.ndarray:
    """The places in a batch that are on this process's devices, sorted."""
    places = np.arange(batch_size)
    blocks = self._devices.batch.addressable_devices_indices_map(
      (batch_size,)
    ).values()
    return np.unique(np.concatenate([places[block] for block in blocks]))

  def _gather(self, source, indices):
    """Images and labels of a batch, compiled."""
    batch = (source[0][indices], source[1][indices])
    return jax.lax.with_sharding_constraint(batch, self._devices.batch)
