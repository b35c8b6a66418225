# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""All devices as one: mesh, shardings, compilation and transfers."""

from collections.abc import Callable, Mapping

import jax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np

from hafjax.runtime import compiler
from hafjax.runtime import mesh as mesh_lib


class Devices:
  """The mesh of all devices, and how arrays are sharded over it.

  A batch is sharded over the devices; weights and (small) data sets are
  replicated, unless the mesh shards the classes. XLA adds the sums over
  devices, BatchNorm's included, so that the number of devices does not change
  the training curve.

  Attributes:
    mesh: of all devices.
    replicated: sharding of arrays that each device has all of.
    batch: sharding of batches, along their first axis.
  """

  def __init__(self, mesh: jax.sharding.Mesh):
    self.mesh = mesh
    self.replicated = NamedSharding(mesh, PartitionSpec())
    self.batch = NamedSharding(mesh, PartitionSpec(mesh.axis_names))

  @classmethod
  def create(cls, axes: Mapping[str, int] | None = None) -> 'Devices':
    """All devices that there are.

    Args:
      axes: sizes of the mesh's axes, see `mesh.sizes`.
    """
    return cls(mesh_lib.create_mesh(**(axes or {})))

  def compile(
    self,
    function: Callable,
    *,
    in_shardings: tuple,
    out_shardings=None,
    donate: tuple[int, ...] = (),
  ) -> 'Program':
    """Compiles a function of states and batches, when it is first called.

    Args:
      function: to be jitted.
      in_shardings: of its arguments; None for one that is taken as it lies.
      out_shardings: of what it returns; replicated by default.
      donate: numbers of arguments that are consumed.
    """
    jitted = jax.jit(
      function,
      in_shardings=in_shardings,
      out_shardings=self.replicated if out_shardings is None else out_shardings,
      donate_argnums=donate,
      compiler_options=compiler.options(),
    )
    return Program(jitted, self.mesh)

  def put(self, values, *, sharded: bool = False):
    """Places a pytree of host arrays, alike on all processes, on the devices.

    Args:
      values: arrays.
      sharded: over the devices, along their first axis; else replicated.
    """
    sharding = self.batch if sharded else self.replicated
    if jax.process_count() == 1:
      return jax.device_put(values, sharding)

    def place(value):
      if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return value
      value = np.asarray(value)
      value = value.astype(jax.dtypes.canonicalize_dtype(value.dtype))
      return array_from_blocks(
        value.shape, sharding, lambda index: value[index]
      )

    return jax.tree.map(place, values)


class Program:
  """A compiled function that knows the mesh; see `Devices.compile`."""

  def __init__(self, jitted: Callable, mesh: jax.sharding.Mesh):
    self._jitted, self._mesh = jitted, mesh

  def __call__(self, *args):
    with jax.set_mesh(self._mesh):
      return self._jitted(*args)

  def compile(self, *args) -> jax.stages.Compiled:
    """Ahead of time, for arguments like these."""
    with jax.set_mesh(self._mesh):
      return self._jitted.lower(*args).compile()


def array_from_blocks(shape, sharding, block: Callable) -> jax.Array:
  """A global array of this process's blocks and the other processes'.

  Args:
    shape: of the whole array.
    sharding: of it.
    block: index -> the block there, for those on this process's devices.
  """
  # Transfers that are asked for, though JAX does not count them among these.
  with jax.transfer_guard_host_to_device('allow'):
    return jax.make_array_from_callback(shape, sharding, block)
