# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One step of training, as a function and compiled for all devices."""

from absl import logging
import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax.microbatching import AccumulationType

from hafjax.runtime import mesh
from hafjax.runtime.devices import Devices
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState


def train_step(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  experiment: Experiment,
) -> tuple[TrainState, dict]:
  """One update by gradient descent.

  Args:
    state: before the update.
    images: uint8[B, h, w, c], not augmented (or features, float[B, d]).
    labels: int[B].
    experiment: what stays fixed.

  Returns:
    The state after the update, and sums over the batch: 'loss', 'top1' and
    'count', of the network before the update.
  """
  # A key a step, from the seed: a resumed run draws what it would have drawn.
  key = jax.random.fold_in(jax.random.key(experiment.seed + 1), state.step)
  images = experiment.preprocess(images, key)
  done = state.step / experiment.num_steps

  def mean_loss(params, images, labels):
    outputs, updated = experiment.network.apply(
      {'params': params, **state.variables},
      images,
      train=True,
      mutable=['batch_stats'],
    )
    labels = mesh.over_data(labels)
    loss = experiment.method.loss(outputs, labels, done)
    predictions = experiment.method.scores(outputs).argmax(-1)
    sums = dict(
      loss=loss.sum(),
      top1=(predictions == labels).sum().astype(jnp.float32),
      count=jnp.float32(len(labels)),
    )
    return loss.mean(), (sums, updated, outputs['features'])

  def gradient(images, labels):
    return jax.grad(mean_loss, has_aux=True)(state.params, images, labels)

  mean, total = AccumulationType.MEAN, AccumulationType.SUM
  gradient = optax.microbatch(
    gradient,
    argnums=(0, 1),
    microbatch_size=experiment.microbatch_size,
    accumulator=(mean, (total, mean, AccumulationType.CONCAT)),
  )
  gradient, (sums, updated, features) = gradient(images, labels)
  variables = {**state.variables, **updated}
  if experiment.method.update is not None:
    variables['frame'] = dict(
      classifier=experiment.method.update(
        variables['frame']['classifier'], features, labels, state.step
      )
    )
  updates, opt_state = experiment.optimiser.update(
    gradient, state.opt_state, state.params
  )
  new_state = TrainState(
    step=state.step + 1,
    params=optax.apply_updates(state.params, updates),
    variables=variables,
    opt_state=opt_state,
  )
  return new_state, sums


# A mean loss beyond this is on its way to infinity.
_EXPLODED = 1e8
_NEVER = np.iinfo(np.int32).max


class Trainer:
  """The step, compiled, on all devices.

  Attributes:
    memory: bytes on each device, once there was a step: 'state_bytes' of
      weights, statistics and optimiser, 'step_bytes' of all that a step holds
      at once but the data set; {} where the compiler does not tell.
  """

  def __init__(self, experiment: Experiment, device: Devices):
    layout = device.layout(experiment)

    def step(state, totals, images, labels):
      state = layout.trimmed(state)
      state, sums = train_step(state, images, labels, experiment)
      # Also false of NaN.
      sound = sums['loss'] < _EXPLODED * sums['count']
      diverged_at = jnp.where(sound, _NEVER, state.step)
      return layout.padded(state), dict(
        jax.tree.map(jnp.add, {name: totals[name] for name in sums}, sums),
        diverged_at=jnp.minimum(totals['diverged_at'], diverged_at),
      )

    self.memory = {}
    self._device, self._stored = device, layout.stored
    self._program = device.compiled(
      step,
      'lwss',
      donated=(0, 1),
      results=(layout.shardings, device.whole),
    )
    self._step = None

  def totals(self, found: dict[str, float] | None = None) -> dict:
    """Sums of what `train_step` gives, and the first step that diverged.

    Args:
      found: those to go on with; zero by default.
    """
    found = found or {}
    totals = {n: np.float32(found.get(n, 0)) for n in ('loss', 'top1', 'count')}
    totals['diverged_at'] = np.int32(_NEVER)
    return self._device.put(totals)

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
    found = self._step.memory_analysis()
    if found is None:
      return {}
    state = sum(
      x.dtype.itemsize * np.prod(x.sharding.shard_shape(x.shape), dtype=int)
      for x in jax.tree.leaves(self._stored)
    )
    # What is returned lies, for the most part, where the arguments were.
    step = (
      found.argument_size_in_bytes
      + found.output_size_in_bytes
      - found.alias_size_in_bytes
      + found.temp_size_in_bytes
    )
    logging.info(
      'Memory on each device: %.1f MiB for weights and optimiser, %.1f MiB '
      'in a step.',
      state / 2**20,
      step / 2**20,
    )
    return dict(state_bytes=int(state), step_bytes=int(step))
