# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""All devices, and the data beside them."""

from collections.abc import Callable, Iterator, Mapping
import functools

import jax
import numpy as np

from hafjax.data import DataSet
from hafjax.data import dataset
from hafjax.data import splits
from hafjax.runtime import compiler
from hafjax.runtime import mesh as mesh_lib
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState
from hafjax.train.setup import initial_state

# Splits of up to so much are kept on each device; larger ones, and those that
# are decoded as they are needed, come from the host batch by batch.
RESIDENT_BYTES = 2 * 2**30


class Devices:
  """Where compiled steps run: all devices that there are, as one.

  The batch is split over the devices; weights and (small) data sets are whole
  on each, unless the mesh splits the classes. XLA adds the sums over devices,
  BatchNorm's included, so that the number of devices does not change the curve.

  Attributes:
    whole: sharding of what each device has all of.
    split: sharding of batches.
  """

  def __init__(self, data: DataSet, mesh: Mapping[str, int] | None = None):
    """Lays out all devices.

    Args:
      data: what batches are made of.
      mesh: sizes of its axes, see `mesh.sizes`.
    """
    self._mesh = mesh_lib.create(**(mesh or {}))
    self.whole = jax.sharding.NamedSharding(
      self._mesh, jax.sharding.PartitionSpec()
    )
    self.split = jax.sharding.NamedSharding(
      self._mesh, jax.sharding.PartitionSpec(self._mesh.axis_names)
    )
    self._data = data
    self._arrays, self._layouts = {}, {}
    self._gathered = jax.jit(self.gather, out_shardings=self.split)

  def compiled(
    self,
    step: Callable,
    arguments: str,
    donated: tuple = (),
    results=None,
  ) -> 'Program':
    """Compiles a function of states and batches.

    Args:
      step: the function.
      arguments: a letter for each: 'w' for whole, 's' for split, 'l' for states
        as they lie.
      donated: numbers of arguments that are consumed.
      results: shardings of what it returns; whole by default.
    """
    shardings = {'w': self.whole, 's': self.split, 'l': None}
    jitted = jax.jit(
      step,
      in_shardings=tuple(shardings[letter] for letter in arguments),
      out_shardings=self.whole if results is None else results,
      donate_argnums=donated,
      compiler_options=compiler.options(),
    )
    return Program(jitted, self._mesh)

  def layout(self, experiment: Experiment) -> mesh_lib.Layout:
    """How the experiment's states lie here."""
    if experiment not in self._layouts:
      self._layouts[experiment] = mesh_lib.Layout.create(
        self._make(experiment), self._mesh
      )
    return self._layouts[experiment]

  def source(self, split: str) -> tuple[jax.Array, jax.Array]:
    """A split's images and labels: arguments, so as not to be compiled in."""
    if split not in self._arrays:
      arrays = self._data.splits[split]
      everything = arrays.batch(slice(None))
      self._arrays[split] = self.put((everything, arrays.labels))
    return self._arrays[split]

  def put(self, values, split: bool = False):
    """A pytree of the host's, which all processes have alike, on the devices.

    Args:
      values: arrays.
      split: over the devices, along their first axis; else whole on each.
    """
    sharding = self.split if split else self.whole
    if jax.process_count() == 1:
      return jax.device_put(values, sharding)

    def place(value):
      if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return value
      value = np.asarray(value)
      value = value.astype(jax.dtypes.canonicalize_dtype(value.dtype))
      return _from_blocks(value.shape, sharding, lambda index: value[index])

    return jax.tree.map(place, values)

  def _rows(self, batch_size: int) -> np.ndarray:
    """The places in a batch that are on this process's devices, sorted."""
    places = np.arange(batch_size)
    blocks = self.split.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([places[block] for block in blocks]))

  def gather(self, source, indices):
    """Images and labels of a batch, compiled."""
    batch = (source[0][indices], source[1][indices])
    return jax.lax.with_sharding_constraint(batch, self.split)

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
      batches = dataset.training_batches(
        split, batch_size, seed, start, stop, rows, self._data.workers
      )
      yield from self._ahead(batches, batch_size, rows)
      return
    source = self.source('train')
    order = dataset.training_order(len(split), batch_size, seed)
    for step in range(start, stop):
      indices = self.put(order[step].astype(np.int32), split=True)
      yield self._gathered(source, indices)

  def batches(self, split: str, batch_size: int) -> Iterator:
    """Yields (images, labels, mask) that cover a split, every example once.

    Gathered before they are measured, so that what measures them is compiled
    once and not for each size of a split.
    """
    examples = self._data.splits[split]
    if not self._fits(examples):
      rows = self._rows(batch_size)
      batches = dataset.measured_batches(
        examples, batch_size, rows, self._data.workers
      )
      yield from self._ahead(batches, batch_size, rows)
      return
    source = self.source(split)
    for batch in dataset.evaluation_batches(len(examples), batch_size):
      indices, mask = self.put(batch, split=True)
      yield *self._gathered(source, indices), mask

  def _fits(self, split) -> bool:
    """Whether a split is kept on the devices, whole."""
    return isinstance(split, splits.Arrays) and split.nbytes <= RESIDENT_BYTES

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

      return _from_blocks((batch_size, *part.shape[1:]), self.split, block)

    coming = None
    for batch in batches:
      batch, coming = coming, tuple(place(np.asarray(part)) for part in batch)
      if batch is not None:
        yield batch
    if coming is not None:
      yield coming

  def initial_state(
    self, experiment: Experiment, backbone: dict | None = None
  ) -> TrainState:
    """Fresh weights, as they lie here; see `experiment.initial_state`."""
    layout, make = self.layout(experiment), self._make(experiment)
    program = jax.jit(
      lambda backbone: layout.padded(make(backbone=backbone)),
      out_shardings=layout.shardings,
    )
    return program(backbone)

  def abstract_state(self, experiment: Experiment) -> TrainState:
    """Shapes, types and places of a state, to restore into."""
    return self.layout(experiment).stored

  def _make(self, experiment):
    return functools.partial(initial_state, experiment, self._data.image_shape)


class Program:
  """A compiled function that knows the mesh; see `Devices.compiled`."""

  def __init__(self, jitted: Callable, mesh: jax.sharding.Mesh):
    self._jitted, self._mesh = jitted, mesh

  def __call__(self, *args):
    with jax.set_mesh(self._mesh):
      return self._jitted(*args)

  def compile(self, *args) -> jax.stages.Compiled:
    """Ahead of time, for arguments like these."""
    with jax.set_mesh(self._mesh):
      return self._jitted.lower(*args).compile()


def _from_blocks(shape, sharding, block: Callable) -> jax.Array:
  """An array of this process's blocks, index -> block, and the others'."""
  # Transfers that are asked for, though JAX does not count them among these.
  with jax.transfer_guard_host_to_device('allow'):
    return jax.make_array_from_callback(shape, sharding, block)
