# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Setup of a run: data, network, method, optimizer and schedule of a config."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hafjax import methods
from hafjax import models
from hafjax.data import DataSet
from hafjax.data import open_dataset
from hafjax.metrics import MetricTables
from hafjax.models import necks
from hafjax.models.network import Network
from hafjax.runs import record
from hafjax.train.optimizers import make_optimizer


@dataclasses.dataclass(frozen=True)
class Schedule:
  """Steps after which something happens; steps count from 1.

  Attributes:
    num_steps: length of training.
    eval_steps: evaluation on the validation split, and a checkpoint.
    collapse_steps: measures of neural collapse.
    keep_steps: checkpoints that stay.
  """

  num_steps: int
  eval_steps: frozenset[int]
  collapse_steps: frozenset[int]
  keep_steps: frozenset[int]

  @classmethod
  def create(cls, config, num_train: int) -> 'Schedule':
    """The schedule of a config, for so many training examples."""
    num_steps = max(config.num_epochs * num_train // config.batch_size, 1)

    def last_steps(every):
      """The last step of every so many epochs; none for 0."""
      epochs = range(every, config.num_epochs + 1, every) if every else ()
      return {epoch * num_train // config.batch_size for epoch in epochs}

    collapse_steps = last_steps(config.collapse.every)
    if config.collapse.every:
      collapse_steps |= {num_steps}
    return cls(
      num_steps=num_steps,
      eval_steps=frozenset(last_steps(config.eval_every) | {num_steps}),
      collapse_steps=frozenset(collapse_steps),
      keep_steps=frozenset(last_steps(config.keep_every)),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Setup:
  """What stays fixed during a run, made from its config.

  Attributes:
    config: the run's.
    data: its data set; images in files are only listed, until `decoded`.
    network: images -> outputs of the method's head.
    method: loss and scores.
    optimizer: of all parameters.
    schedule: of evaluation, measures and checkpoints.
    tables: what metrics compare with, on the host.
    microbatch_size: examples at once, of those of a step; None for all.
    streams: which random numbers training draws, see `runs.record.streams`.
  """

  config: Any
  data: DataSet
  network: Network
  method: methods.Method
  optimizer: optax.GradientTransformation
  schedule: Schedule
  tables: MetricTables
  microbatch_size: int | None
  streams: int = record.STREAMS

  @property
  def seed(self) -> int:
    """Of initial weights and augmentation."""
    return self.config.seed

  @classmethod
  def create(
    cls,
    config,
    data: DataSet | None = None,
    *,
    streams: int = record.STREAMS,
  ) -> 'Setup':
    """Builds all parts of a run.

    Args:
      config: the run's, which was checked.
      data: its data set; read as the config says by default.
      streams: which random numbers to draw.

    Raises:
      UserError: of the kind of the part that cannot be built.
    """
    data = open_dataset(config) if data is None else data
    network, method = _network(config, data)
    schedule = Schedule.create(config, len(data.splits['train']))
    return cls(
      config=config,
      data=data,
      network=network,
      method=method,
      optimizer=make_optimizer(config, schedule.num_steps),
      schedule=schedule,
      tables=MetricTables(data.hierarchy, data.distances, config.ks),
      microbatch_size=(
        config.batch_size // config.microbatches
        if config.microbatches > 1
        else None
      ),
      streams=streams,
    )

  def decoded(self) -> 'Setup':
    """The setup with images in files decoded, where they are small enough."""
    data = self.data.decoded(self.config.input)
    return dataclasses.replace(self, data=data)


def _network(config, data: DataSet) -> tuple[Network, methods.Method]:
  """Backbone, neck and the method's head, and the method."""
  dtype = jnp.dtype(config.dtype)
  backbone = models.build(config.model, dtype=dtype)
  images = jnp.zeros((1, *data.image_shape), jnp.float32)
  (maps, _), _ = jax.eval_shape(
    lambda: backbone.init_with_output(jax.random.key(0), images, train=False)
  )
  channels = maps.shape[-1]
  method = methods.build(
    methods.MethodContext(
      hierarchy=data.hierarchy,
      distances=data.distances,
      kind=data.kind,
      feature_dim=necks.width(config.top, config.feature_dim, channels),
      class_counts=np.bincount(
        data.splits['train'].labels, minlength=data.hierarchy.num_classes
      ),
      seed=config.seed,
    ),
    **config.method,
  )
  neck = necks.build(config.top, method.feature_dim, dtype=dtype)
  return Network(backbone, neck, method.head), method
