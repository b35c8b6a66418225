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
      self._arrays[split] = jax.device_put(
        (arrays.images, arrays.labels), self.whole
      )
    return self._arrays[split]

  def gather(self, source, indices):
    """Images and labels of a batch, inside a compiled step."""
    batch = (source[0][indices], source[1][indices])
    return jax.lax.with_sharding_constraint(batch, self.split)

  def batches(self, split: str, batch_size: int) -> Iterator:
    """Yields (images, labels, mask) that cover a split, every example once.

    Gathered before they are measured, so that what measures them is compiled
    once and not for each size of a split.
    """
    source = self.source(split)
    for batch in pipeline.evaluation_batches(len(source[1]), batch_size):
      indices, mask = jax.device_put(batch, self.split)
      yield *self._gathered(source, indices), mask

  def indices(self, indices: np.ndarray) -> jax.Array:
    """A batch's indices, split."""
    return jax.device_put(indices.astype(np.int32), self.split)

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
