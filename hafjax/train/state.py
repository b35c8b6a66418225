# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The state of training: what a step changes and a checkpoint holds."""

import functools

import flax
import jax
import jax.numpy as jnp

from hafjax.runtime.devices import Devices
from hafjax.runtime.mesh import Layout
from hafjax.train.setup import Setup


@flax.struct.dataclass
class TrainState:
  """What a step changes, and a checkpoint holds.

  Attributes:
    step: updates done, int32[].
    params: what is learned, float32, by part of the network.
    variables: what else the network holds: BatchNorm's running statistics, and
      a fixed frame.
    opt_state: the optimizer's.
  """

  step: jax.Array
  params: dict
  variables: dict
  opt_state: tuple


def initial_state(setup: Setup, backbone: dict | None = None) -> TrainState:
  """Initial weights from the run's seed, float32.

  Args:
    setup: the run's.
    backbone: variables by collection that the backbone starts from instead, see
      `pretrained.initial_backbone`.
  """
  key = jax.random.key(setup.seed)
  images = jnp.zeros((1, *setup.data.image_shape), jnp.float32)
  variables = setup.network.init(key, images, train=False)
  for collection, values in (backbone or {}).items():
    variables[collection] |= dict(backbone=values)
  params = variables.pop('params')
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    variables=variables,
    opt_state=setup.optimizer.init(params),
  )


def frame_of(state: TrainState):
  """A state's fixed class vectors as they are now, or None."""
  fixed = state.variables.get('frame', {}).get('classifier', {})
  return fixed.get('frame')


def state_layout(setup: Setup, devices: Devices) -> Layout:
  """How the run's states are laid out over devices between steps.

  Its `stored` holds the shapes, dtypes and shardings to restore into.
  """
  return Layout.create(functools.partial(initial_state, setup), devices.mesh)


def place_initial_state(
  setup: Setup, layout: Layout, backbone: dict | None = None
) -> TrainState:
  """`initial_state`, made on the devices as the layout says."""
  program = jax.jit(
    lambda backbone: layout.padded(initial_state(setup, backbone)),
    out_shardings=layout.shardings,
  )
  return program(backbone)
