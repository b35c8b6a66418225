# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The device mesh: one axis splits examples, the other splits classes.

The backbone splits a batch over all devices. After it, a device has the
examples of its row of the mesh, and of the learned layers, the frame and the
logits the columns of its own: XLA inserts the sums over devices for what is
normalized or summed over classes. Where the number of classes is not a multiple
of the axis, arrays are padded with zeros between steps, and never within them.
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

from hafjax.errors import UserError

DATA, MODEL = 'data', 'model'
# Parameter groups that are split over the model axis.
_SPLIT = {'transformation', 'classifier'}


class MeshError(UserError):
  """Mesh shape does not match the device count."""


def sizes(num_devices: int, data: int = -1, model: int = 1) -> tuple[int, int]:
  """Sizes of both axes.

  Args:
    num_devices: of all processes.
    data: devices that a batch is split over; -1 for all that are left.
    model: devices that classes are split over.

  Raises:
    MeshError: if their product is not the number of devices.
  """
  rows = num_devices // model if data == -1 else data
  if rows * model != num_devices:
    raise MeshError(
      f'mesh.data x mesh.model must be the number of devices ({num_devices}), '
      f'got {data} x {model}: use mesh.data=-1 and a mesh.model that divides '
      'it.'
    )
  return rows, model


def create_mesh(data: int = -1, model: int = 1) -> jax.sharding.Mesh:
  """All devices in a mesh of the axes (DATA, MODEL); see `sizes`."""
  return jax.make_mesh(
    sizes(jax.device_count(), data, model),
    (DATA, MODEL),
    axis_types=(jax.sharding.AxisType.Auto,) * 2,
  )


def over_data(x):
  """Splits examples over the data axis; the other is left to the classes.

  Args:
    x: array, examples first, inside of what `Devices.compile` compiles;
      elsewhere there is no mesh, and nothing is done.
  """
  return _constrained(x, PartitionSpec(DATA))


def over_all(x):
  """Splits examples over all devices, with all classes on each."""
  return _constrained(x, PartitionSpec((DATA, MODEL)))


def _constrained(x, spec: PartitionSpec):
  if jax.sharding.get_abstract_mesh().empty:
    return x
  return jax.lax.with_sharding_constraint(x, spec)


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a state is stored on the devices between steps.

  Attributes:
    shapes: of its arrays, as steps see them.
    stored: padded shapes, types and shardings.
  """

  shapes: object
  stored: object

  @classmethod
  def create(cls, make: Callable, mesh: jax.sharding.Mesh) -> 'Layout':
    """The layout of the state that a function makes."""
    shapes = jax.eval_shape(make)
    place = functools.partial(_stored, mesh=mesh)
    return cls(shapes, jax.tree_util.tree_map_with_path(place, shapes))

  @property
  def shardings(self):
    return jax.tree.map(lambda stored: stored.sharding, self.stored)

  def padded(self, state):
    """A state as it is stored."""

    def pad(x, stored):
      ends = zip(x.shape, stored.shape, strict=True)
      return jnp.pad(x, [(0, stop - size) for size, stop in ends])

    return jax.tree.map(
      lambda x, stored: x if x.shape == stored.shape else pad(x, stored),
      state,
      self.stored,
    )

  def trimmed(self, state):
    """A stored state as steps see it."""
    return jax.tree.map(
      lambda x, like: (
        x if x.shape == like.shape else x[tuple(map(slice, like.shape))]
      ),
      state,
      self.shapes,
    )


def _stored(path, leaf, mesh) -> jax.ShapeDtypeStruct:
  """An array's padded shape, its type and its sharding."""
  names = {getattr(key, 'key', getattr(key, 'name', None)) for key in path}
  axis = None
  if names & _SPLIT and leaf.ndim and mesh.shape[MODEL] > 1:
    # Rows of a matrix of class vectors, and outputs of what is learned.
    fixed = 'frame' in names
    axis = (0 if leaf.ndim > 1 else None) if fixed else leaf.ndim - 1
  shape, spec = list(leaf.shape), [None] * leaf.ndim
  if axis is not None:
    shape[axis] += -shape[axis] % mesh.shape[MODEL]
    spec[axis] = MODEL
  sharding = NamedSharding(mesh, PartitionSpec(*spec))
  return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)
