# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The device mesh: shardings, compilation, and arrays onto the devices."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
from typing import Any

import jax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np

from hafjax.runtime import compiler
from hafjax.runtime.mesh import create_mesh


@dataclasses.dataclass(frozen=True, eq=False)
class Devices:
  """All devices of all processes, as one machine.

  Batches are split over the devices; weights and small data sets are replicated
  on each, unless the mesh splits the classes. XLA inserts the sums over
  devices, BatchNorm's included, so that their number does not change the
  training curve.

  Attributes:
    mesh: the grid of devices, see `hafjax.runtime.mesh`.
    replicated: sharding of arrays that each device has all of.
    batch: sharding of arrays that are split along their first axis.
  """

  mesh: jax.sharding.Mesh
  replicated: NamedSharding
  batch: NamedSharding

  @classmethod
  def create(cls, mesh: Mapping[str, int] | None = None) -> 'Devices':
    """Arranges all devices in a grid.

    Args:
      mesh: sizes of its axes by name, see `mesh.sizes`; by default, all devices
        split the batch.

    Raises:
      MeshError: if the sizes do not make up the number of devices.
    """
    grid = create_mesh(**(mesh or {}))
    return cls(
      mesh=grid,
      replicated=NamedSharding(grid, PartitionSpec()),
      batch=NamedSharding(grid, PartitionSpec(grid.axis_names)),
    )

  def compile(
    self,
    function: Callable,
    in_shardings: Sequence,
    *,
    donate: Sequence[int] = (),
    out_shardings: Any = None,
  ) -> 'Program':
    """Compiles a function for all devices, at its first call.

    Args:
      function: of arrays and pytrees of arrays.
      in_shardings: of each argument; None for arrays that keep the sharding
        they have.
      donate: positions of arguments whose memory is reused for results.
      out_shardings: of the results, a pytree of shardings; `replicated` by
        default.
    """
    jitted = jax.jit(
      function,
      in_shardings=tuple(in_shardings),
      out_shardings=self.replicated if out_shardings is None else out_shardings,
      donate_argnums=tuple(donate),
      compiler_options=compiler.options(),
    )
    return Program(jitted, self.mesh)

  def put(self, values: Any, sharding: NamedSharding | None = None) -> Any:
    """Places arrays of the host, equal in all processes, on the devices.

    Args:
      values: a pytree of arrays.
      sharding: `replicated` by default.
    """
    sharding = self.replicated if sharding is None else sharding
    if jax.process_count() == 1:
      return jax.device_put(values, sharding)

    def place(value):
      if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return value
      value = np.asarray(value)
      value = value.astype(jax.dtypes.canonicalize_dtype(value.dtype))
      return _from_blocks(value.shape, sharding, lambda index: value[index])

    return jax.tree.map(place, values)

  def local_rows(self, batch_size: int) -> np.ndarray:
    """Positions in a batch that this process's devices hold, sorted."""
    positions = np.arange(batch_size)
    blocks = self.batch.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([positions[block] for block in blocks]))

  def put_rows(
    self, values: np.ndarray, rows: np.ndarray, batch_size: int
  ) -> jax.Array:
    """Places a batch of which each process has its own rows.

    Args:
      values: [R, ...], the rows of this process.
      rows: their R positions in the batch, as `local_rows` gives them.
      batch_size: examples of all processes.
    """

    def block(index):
      start, stop, _ = index[0].indices(batch_size)
      return values[np.searchsorted(rows, start) : np.searchsorted(rows, stop)]

    return _from_blocks((batch_size, *values.shape[1:]), self.batch, block)


class Program:
  """A jitted function that runs under the mesh; see `Devices.compile`."""

  def __init__(self, jitted: Callable, mesh: jax.sharding.Mesh):
    self._jitted, self._mesh = jitted, mesh

  def __call__(self, *args):
    with jax.set_mesh(self._mesh):
      return self._jitted(*args)

  def compile(self, *args) -> jax.stages.Compiled:
    """Compiles ahead of time, for arguments like these."""
    with jax.set_mesh(self._mesh):
      return self._jitted.lower(*args).compile()


def _from_blocks(shape, sharding, block: Callable) -> jax.Array:
  """An array whose blocks this process has, index -> block, for its devices."""
  # JAX counts these transfers as implicit, though they are asked for.
  with jax.transfer_guard_host_to_device('allow'):
    return jax.make_array_from_callback(shape, sharding, block)
