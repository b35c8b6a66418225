# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A mesh of all devices, and the data beside them."""

from collections.abc import Callable, Iterator
import functools

import jax
import numpy as np

from hafjax import compilation
from hafjax import data as data_lib
from hafjax import experiment as experiment_lib
from hafjax.data import pipeline
from hafjax.data import sources

# Splits of up to so much are kept on each device; larger ones, and those that
# are decoded as they are needed, come from the host batch by batch.
RESIDENT_BYTES = 2 * 2**30


class Device:
  """Where compiled steps run: all devices that there are, as one.

  The batch is split over the devices; weights and (small) data sets are whole
  on each. XLA adds the sums over devices, BatchNorm's included, so that the
  number of devices does not change the curve.

  Attributes:
    whole: sharding of what each device has all of.
    split: sharding of batches.
  """

  def __init__(self, data: data_lib.DataSet):
    mesh = jax.make_mesh(
      (jax.device_count(),),
      ('data',),
      axis_types=(jax.sharding.AxisType.Auto,),
    )
    self.whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    self.split = jax.sharding.NamedSharding(
      mesh, jax.sharding.PartitionSpec('data')
    )
    self._data = data
    self._arrays = {}
    self._gathered = jax.jit(self.gather, out_shardings=self.split)

  def compiled(self, step: Callable, arguments: str, donated: tuple = ()):
    """Compiles a function of states and batches; what it returns is whole.

    Args:
      step: the function.
      arguments: a letter for each: 'w' for whole, 's' for split.
      donated: numbers of arguments that are consumed.
    """
    shardings = {'w': self.whole, 's': self.split}
    return jax.jit(
      step,
      in_shardings=tuple(shardings[letter] for letter in arguments),
      out_shardings=self.whole,
      donate_argnums=donated,
      compiler_options=compilation.options(),
    )

  def source(self, split: str) -> tuple[jax.Array, jax.Array]:
    """A split's images and labels: arguments, so as not to be compiled in."""
    if split not in self._arrays:
      arrays = self._data.splits[split]
      everything = arrays.batch(slice(None))
      self._arrays[split] = jax.device_put(
        (everything, arrays.labels), self.whole
      )
    return self._arrays[split]

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
      batches = pipeline.training_batches(
        split, batch_size, seed, start, stop, self._data.workers
      )
      yield from self._ahead(batches)
      return
    source = self.source('train')
    order = pipeline.training_order(len(split), batch_size, seed)
    for step in range(start, stop):
      indices = jax.device_put(order[step].astype(np.int32), self.split)
      yield self._gathered(source, indices)

  def batches(self, split: str, batch_size: int) -> Iterator:
    """Yields (images, labels, mask) that cover a split, every example once.

    Gathered before they are measured, so that what measures them is compiled
    once and not for each size of a split.
    """
    examples = self._data.splits[split]
    if not self._fits(examples):
      yield from self._ahead(
        pipeline.measured_batches(examples, batch_size, self._data.workers)
      )
      return
    source = self.source(split)
    for batch in pipeline.evaluation_batches(len(examples), batch_size):
      indices, mask = jax.device_put(batch, self.split)
      yield *self._gathered(source, indices), mask

  def _fits(self, split) -> bool:
    """Whether a split is kept on the devices, whole."""
    return isinstance(split, sources.Arrays) and split.nbytes <= RESIDENT_BYTES

  def _ahead(self, batches: Iterator) -> Iterator:
    """Batches from the host, each on its way while the last is used."""
    coming = None
    for batch in batches:
      batch, coming = coming, jax.device_put(batch, self.split)
      if batch is not None:
        yield batch
    if coming is not None:
      yield coming

  def initial_state(
    self, experiment: experiment_lib.Experiment, backbone: dict | None = None
  ) -> experiment_lib.TrainState:
    """Fresh weights, whole on each device; see `experiment.initial_state`."""
    make = jax.jit(self._make(experiment), out_shardings=self.whole)
    return make(backbone=backbone)

  def abstract_state(
    self, experiment: experiment_lib.Experiment
  ) -> experiment_lib.TrainState:
    """Shapes, types and places of a state, to restore into."""
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.whole),
      jax.eval_shape(self._make(experiment)),
    )

  def _make(self, experiment):
    return functools.partial(
      experiment_lib.initial_state, experiment, self._data.image_shape
    )
