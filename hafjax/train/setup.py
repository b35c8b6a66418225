# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run is: its state, and all that stays fixed, made from a config."""

from collections.abc import Callable
import dataclasses

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax

from hafjax import methods
from hafjax import models
from hafjax.data import DataSet
from hafjax.metrics import MetricTables
from hafjax.models import necks
from hafjax.models import network as network_lib


@flax.struct.dataclass
class TrainState:
  """What a step changes, and a checkpoint holds.

  Attributes:
    step: updates done, int32[].
    params: what is learned.
    variables: what else the network holds: BatchNorm's running statistics, and
      a fixed frame.
    opt_state: the optimiser's.
  """

  step: jax.Array
  params: dict
  variables: dict
  opt_state: tuple


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
  """What stays fixed during a run.

  Attributes:
    network: images -> outputs of the method's head.
    method: loss and scores.
    optimiser: of all parameters.
    preprocess: (uint8 images, key or None) -> float images.
    truth: what metrics compare with, on the host.
    num_steps: length of training.
    microbatch_size: examples at once, of those of a step; None for all.
    seed: of initial weights and augmentation.
  """

  network: network_lib.Network
  method: methods.Method
  optimiser: optax.GradientTransformation
  preprocess: Callable
  truth: MetricTables
  num_steps: int
  microbatch_size: int | None
  seed: int


def initial_state(
  experiment: Experiment, image_shape, backbone: dict | None = None
) -> TrainState:
  """Fresh weights from the experiment's seed, float32.

  Args:
    experiment: what stays fixed.
    image_shape: (h, w, c) as the network sees it.
    backbone: variables by collection that the backbone starts from instead, see
      `pretrained.initial_backbone`.
  """
  key = jax.random.key(experiment.seed)
  images = jnp.zeros((1, *image_shape), jnp.float32)
  variables = experiment.network.init(key, images, train=False)
  for collection, given in (backbone or {}).items():
    variables[collection] |= dict(backbone=given)
  params = variables.pop('params')
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    variables=variables,
    opt_state=experiment.optimiser.init(params),
  )


def frame_of(state: TrainState):
  """A state's fixed class vectors as they are now, or None."""
  fixed = state.variables.get('frame', {}).get('classifier', {})
  return fixed.get('frame')


def make_optimiser(config, num_steps: int) -> optax.GradientTransformation:
  """SGD with momentum; a cosine from its own peak rate for each part.

  Parts are the network's top-level parameter groups, as in `config.lr`.
  """

  def sgd(peak):
    return optax.chain(
      optax.add_decayed_weights(config.weight_decay),
      optax.sgd(
        optax.cosine_decay_schedule(peak, num_steps),
        momentum=config.momentum,
      ),
    )

  by_part = optax.partition(
    {part: sgd(peak) for part, peak in config.lr.items()},
    lambda params: {
      part: jax.tree.map(lambda _, part=part: part, group)
      for part, group in params.items()
    },
  )
  if config.clip_norm is None:
    return by_part
  return optax.chain(optax.clip_by_global_norm(config.clip_norm), by_part)


def make_experiment(config, data: DataSet) -> Experiment:
  """Network, method and optimiser for a data set.

  Raises:
    ValueError: of the kind of the part that cannot be built.
  """
  dtype = jnp.dtype(config.dtype)
  backbone = models.build(config.model, dtype=dtype)
  images = jnp.zeros((1, *data.image_shape), jnp.float32)
  (maps, _), _ = jax.eval_shape(
    lambda: backbone.init_with_output(jax.random.key(0), images, train=False)
  )
  wanted = methods.feature_dim(
    data.hierarchy, data.kind, config.top, **config.method
  )
  top, feature_dim = necks.build(
    config.top, config.feature_dim or wanted, maps.shape[-1], dtype=dtype
  )
  method = methods.build(
    methods.MethodContext(
      hierarchy=data.hierarchy,
      distances=data.distances,
      kind=data.kind,
      feature_dim=feature_dim,
      class_counts=np.bincount(
        data.splits['train'].labels, minlength=data.hierarchy.num_classes
      ),
      seed=config.seed,
    ),
    **config.method,
  )
  examples = config.num_epochs * len(data.splits['train'])
  num_steps = max(examples // config.batch_size, 1)
  return Experiment(
    network=network_lib.Network(backbone, top, method.head),
    method=method,
    optimiser=make_optimiser(config, num_steps),
    preprocess=data.preprocess,
    truth=MetricTables.create(data.hierarchy, data.distances, config.ks),
    num_steps=num_steps,
    microbatch_size=(
      config.batch_size // config.microbatches
      if config.microbatches > 1
      else None
    ),
    seed=config.seed,
  )
