# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is measured of a state: metrics, inference rules, predictions."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from hafjax import collapse
from hafjax import metrics
from hafjax.data import DataSet
from hafjax.metrics import MetricTables
from hafjax.runtime import mesh
from hafjax.runtime.devices import Devices
from hafjax.train.rules import Rule
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState
from hafjax.train.setup import frame_of

# --- Steps --------------------------------------------------------------------


def outputs_of(
  state: TrainState, images: jax.Array, experiment: Experiment
) -> dict:
  """The network's outputs for uint8 images, not training."""
  return experiment.network.apply(
    {'params': state.params, **state.variables},
    experiment.preprocess(images),
    train=False,
  )


def eval_step(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  mask: jax.Array,
  experiment: Experiment,
  truth: MetricTables,
) -> dict:
  """Sums of metrics (and of alignment with a frame) over a batch.

  Args:
    state: whose weights and running statistics are used.
    images: uint8[B, h, w, c].
    labels: int[B].
    mask: bool[B], which examples count.
    experiment: what stays fixed.
    truth: the experiment's, as an argument of what is compiled.
  """
  method = experiment.method
  outputs = outputs_of(state, images, experiment)
  # The loss as it is at the end of training, comparable between epochs.
  loss = method.loss(outputs, mesh.over_data(labels), 1.0)
  sums = dict(
    loss=jnp.where(mask, loss, 0.0).sum(),
    count=mask.sum().astype(jnp.float32),
    metrics=metrics.evaluation_sums(
      mesh.over_all(method.scores(outputs)), labels, truth, mask
    ),
  )
  if 'frame' in outputs:
    sums['alignment'] = collapse.alignment_sums(
      outputs['features'], labels, outputs['frame'], mask
    )
  return sums


def probabilities(
  state: TrainState, images: jax.Array, experiment: Experiment
) -> jax.Array:
  """Softmax of the method's scores, float32[B, K], for uint8 images."""
  outputs = outputs_of(state, images, experiment)
  return mesh.over_all(jax.nn.softmax(experiment.method.scores(outputs)))


def rule_step(
  states: dict[str, TrainState],
  images: jax.Array,
  labels: jax.Array,
  mask: jax.Array,
  experiments: dict[str, Experiment],
  rules: tuple[Rule, ...],
  ranking: metrics.Ranking,
) -> dict:
  """Sums of each rule over a batch, by its name.

  Args:
    states: of the run, under '', and of its rules' companions by workdir.
    images: uint8[B, h, w, c].
    labels: int[B].
    mask: bool[B], which examples count.
    experiments: likewise.
    rules: what to measure.
    ranking: what metrics compare with.
  """
  probs = {
    name: probabilities(state, images, experiments[name])
    for name, state in states.items()
  }
  return {
    rule.name: rule.sums(
      probs[''],
      probs[rule.workdir] if rule.workdir else None,
      labels,
      mask,
      ranking,
    )
    for rule in rules
  }


# --- Over a split -------------------------------------------------------------


class Evaluator:
  """Compiled steps that measure states of an experiment, on all devices."""

  def __init__(
    self,
    experiment: Experiment,
    data: DataSet,
    device: Devices,
  ):
    self._experiment, self._data = experiment, data
    self._device = device
    self._truth = device.put(experiment.truth)
    self._layout = layout = device.layout(experiment)
    self._evaluate = device.compiled(
      lambda state, images, labels, mask, truth: eval_step(
        layout.trimmed(state), images, labels, mask, experiment, truth
      ),
      'lsssw',
    )
    self._frame = device.compiled(lambda s: frame_of(layout.trimmed(s)), 'l')

  def evaluate(self, state: TrainState, split: str, batch_size: int) -> dict:
    """Metrics over a whole split, every example counted once.

    Returns:
      'loss' and the names of `metrics.evaluate`; also those of
      `collapse.alignment` where the method has a fixed frame.
    """
    total = self._total(self._evaluate, state, split, batch_size, self._truth)
    found = dict(
      loss=float(total['loss'] / total['count']),
      **metrics.finalise(total['metrics'], self._truth),
    )
    if 'alignment' in total:
      found |= collapse.alignment(total['alignment'], self._frame(state))
    return found

  def _total(
    self, program: Callable, states, split: str, batch_size: int, truth
  ) -> dict:
    """Sums of a compiled step over a split, in float64 on the host."""
    total = None
    for batch in self._device.batches(split, batch_size):
      sums = program(states, *batch, truth)
      # Exact counts, for splits of any size.
      sums = jax.tree.map(lambda x: np.asarray(x, np.float64), sums)
      total = sums if total is None else jax.tree.map(np.add, total, sums)
    return total

  def rules(
    self,
    state: TrainState,
    rules: tuple[Rule, ...],
    companions: dict[str, tuple[Experiment, TrainState]],
    splits: tuple[str, ...],
    batch_size: int,
  ) -> dict:
    """Rule -> split -> metrics.

    Args:
      state: of the run.
      rules: what to measure.
      companions: of the rules that have a workdir, by it.
      splits: names.
      batch_size: examples a step.
    """
    device = self._device
    experiments = {'': self._experiment} | {
      workdir: experiment for workdir, (experiment, _) in companions.items()
    }
    states = {'': state} | {
      workdir: companion for workdir, (_, companion) in companions.items()
    }
    layouts = {'': self._layout} | {
      workdir: device.layout(experiment)
      for workdir, (experiment, _) in companions.items()
    }

    def step(states, images, labels, mask, ranking):
      states = {name: layouts[name].trimmed(s) for name, s in states.items()}
      return rule_step(
        states, images, labels, mask, experiments, rules, ranking
      )

    program, ranking = device.compiled(step, 'lsssw'), self._truth.ranking
    found = {rule.name: {} for rule in rules}
    for split in splits:
      total = self._total(program, states, split, batch_size, ranking)
      for rule in rules:
        found[rule.name][split] = rule.finalise(total[rule.name], ranking)
    return found
