# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One step of training, as a function and compiled for all devices."""

from absl import logging
import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax.microbatching import AccumulationType

from hafjax.runs import record
from hafjax.runtime import mesh
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState

# Random numbers of a run, by purpose: folded into its seed. Initial weights
# draw from the seed itself.
_AUGMENTATION = 1


def step_key(setup: Setup, step: jax.Array) -> jax.Array:
  """The key of a step's augmentation, from the seed and the step alone.

  So a run that is continued draws what it would have drawn.
  """
  if setup.streams == record.FIRST_STREAMS:
    key = jax.random.key(setup.seed + 1)
  else:
    key = jax.random.fold_in(jax.random.key(setup.seed), _AUGMENTATION)
  return jax.random.fold_in(key, step)


def train_step(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  setup: Setup,
) -> tuple[TrainState, dict]:
  """One update by gradient descent.

  Args:
    state: before the update.
    images: uint8[B, h, w, c], not augmented (or features, float[B, d]).
    labels: int[B].
    setup: of the run.

  Returns:
    The state after the update, and sums over the batch: 'loss', 'top1' and
    'count', of the network before the update.
  """
  method = setup.method

  # --- Augmentation
  images = setup.data.preprocess(images, step_key(setup, state.step))

  # --- Loss and gradient
  progress = state.step / setup.schedule.num_steps

  def mean_loss(params, images, labels):
    outputs, updated = setup.network.apply(
      {'params': params, **state.variables},
      images,
      train=True,
      mutable=['batch_stats'],
    )
    labels = mesh.over_data(labels)
    loss = method.loss(outputs, labels, progress)
    predictions = method.scores(outputs).argmax(-1)
    sums = dict(
      loss=loss.sum(),
      top1=(predictions == labels).sum().astype(jnp.float32),
      count=jnp.float32(len(labels)),
    )
    return loss.mean(), (sums, updated, outputs.features)

  def gradient(images, labels):
    return jax.grad(mean_loss, has_aux=True)(state.params, images, labels)

  mean, total = AccumulationType.MEAN, AccumulationType.SUM
  gradient = optax.microbatch(
    gradient,
    argnums=(0, 1),
    microbatch_size=setup.microbatch_size,
    accumulator=(mean, (total, mean, AccumulationType.CONCAT)),
  )
  gradient, (sums, updated, features) = gradient(images, labels)
  variables = {**state.variables, **updated}

  # --- Update. A frame that turns follows the features of before the update.
  if method.update is not None:
    variables['frame'] = dict(
      classifier=method.update(
        variables['frame']['classifier'], features, labels, state.step
      )
    )
  updates, opt_state = setup.optimizer.update(
    gradient, state.opt_state, state.params
  )
  new_state = TrainState(
    step=state.step + 1,
    params=optax.apply_updates(state.params, updates),
    variables=variables,
    opt_state=opt_state,
  )
  return new_state, sums


# Mean losses above this count as divergence.
_EXPLODED = 1e8
_NEVER = np.iinfo(np.int32).max


class Trainer:
  """The compiled training step on all devices.

  Attributes:
    memory: bytes on each device, once there was a step: 'state_bytes' of
      weights, statistics and optimiser, 'step_bytes' of all that a step holds
      at once but the data set; {} where the compiler does not tell.
  """

  def __init__(self, session: Session):
    setup, layout, devices = session.setup, session.layout, session.devices

    def step(state, totals, images, labels):
      state = layout.trimmed(state)
      state, sums = train_step(state, images, labels, setup)
      # Also false of NaN.
      sound = sums['loss'] < _EXPLODED * sums['count']
      diverged_at = jnp.where(sound, _NEVER, state.step)
      return layout.padded(state), dict(
        jax.tree.map(jnp.add, {name: totals[name] for name in sums}, sums),
        diverged_at=jnp.minimum(totals['diverged_at'], diverged_at),
      )

    self.memory = {}
    self._devices, self._stored = devices, layout.stored
    self._program = devices.compile(
      step,
      in_shardings=(None, devices.replicated, devices.batch, devices.batch),
      donate=(0, 1),
      out_shardings=(layout.shardings, devices.replicated),
    )
    self._step = None

  def totals(self, sums: dict[str, float] | None = None) -> dict:
    """Sums of an epoch's steps so far, and the first step that diverged.

    Args:
      sums: 'loss', 'top1' and 'count' to go on with; zero by default.
    """
    sums = sums or {}
    totals = {n: np.float32(sums.get(n, 0)) for n in ('loss', 'top1', 'count')}
    totals['diverged_at'] = np.int32(_NEVER)
    return self._devices.put(totals)

  def diverged_at(self, totals: dict) -> int | None:
    """The first step whose loss was infinite or not a number, if any was."""
    step = int(totals['diverged_at'])
    return None if step == _NEVER else step

  def __call__(
    self,
    state: TrainState,
    totals: dict,
    images: jax.Array,
    labels: jax.Array,
  ):
    """A step on a batch; state and totals are consumed."""
    if self._step is None:
      self.compile(state, totals, images, labels)
    return self._step(state, totals, images, labels)

  def compile(self, *args):
    """For arguments like a step's, or their shapes, types and places."""
    self._step = self._program.compile(*args)
    self.memory = self._memory()

  def _memory(self) -> dict[str, int]:
    memory = self._step.memory_analysis()
    if memory is None:
      return {}
    state = sum(
      x.dtype.itemsize * np.prod(x.sharding.shard_shape(x.shape), dtype=int)
      for x in jax.tree.leaves(self._stored)
    )
    # Most results are written where donated arguments were.
    step = (
      memory.argument_size_in_bytes
      + memory.output_size_in_bytes
      - memory.alias_size_in_bytes
      + memory.temp_size_in_bytes
    )
    logging.info(
      'Memory on each device: %.1f MiB for weights and optimiser, %.1f MiB '
      'in a step.',
      state / 2**20,
      step / 2**20,
    )
    return dict(state_bytes=int(state), step_bytes=int(step))
