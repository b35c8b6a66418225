# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics and inference rules of states, over whole splits."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from hafjax.data import DataSet
from hafjax.metrics import base
from hafjax.metrics.base import Metric
from hafjax.runtime.devices import Devices
from hafjax.train.forward import Batch
from hafjax.train.forward import ForwardPass
from hafjax.train.forward import Outputs
from hafjax.train.forward import scores_of
from hafjax.train.predictions import PredictionPass
from hafjax.train.rules import Rule
from hafjax.train.setup import Experiment
from hafjax.train.setup import TrainState
from hafjax.train.setup import frame_of

# From so many ranked classes on, NumPy ranks faster than XLA does on CPU.
_RANK_ON_HOST = 128


def metric_sums(
  metrics: Mapping[str, Metric],
  outputs: Outputs,
  labels: Int[Array, 'b'],
  mask: Bool[Array, 'b'],
  frame=None,
  ranked: Int[Array, 'b m'] | None = None,
) -> dict:
  """Sums of metrics over a batch.

  Args:
    metrics: by name.
    outputs: of the network.
    labels: int[B].
    mask: bool[B], which examples count.
    frame: the state's fixed class vectors; None for none.
    ranked: the likeliest classes in their order; ranked here unless given.
  """
  batch = base.Scored(
    outputs.scores,
    labels,
    num_ranked=base.num_ranked(metrics),
    ranked=ranked,
    features=outputs.features,
    frame=frame,
    loss=outputs.loss,
  )
  return base.sums(metrics, batch, mask)


class _Program:
  """Compiled sums of some metrics."""

  def __init__(self, tables: Mapping[str, Metric], network: ForwardPass):
    """Compiles nothing yet.

    Args:
      tables: of the metrics, on the devices.
      network: whose outputs are read.
    """
    self._tables, most = tables, base.num_ranked(tables)
    on_cpu = jax.default_backend() == 'cpu' and jax.process_count() == 1
    # How many classes are ranked on the host.
    self._num_ranked = most if on_cpu and most >= _RANK_ON_HOST else 0

    def metric_step(state, tables, outputs, labels, mask, ranked):
      frame = frame_of(network.whole(state))
      return metric_sums(tables, outputs, labels, mask, frame, ranked)

    self._program = network.devices.compiled(metric_step, 'lwssss')
    self._put = network.devices.put

  def sums(self, state: TrainState, batch: Batch) -> dict:
    """Of a batch, on the devices."""
    ranked = None
    if self._num_ranked:
      scores = np.asarray(batch.outputs.scores)
      ranked = base.rank_on_host(scores, self._num_ranked)
      ranked = self._put(ranked, split=True)
    return self._program(
      state, self._tables, batch.outputs, batch.labels, batch.mask, ranked
    )


class _MetricSums:
  """Sums of metrics over a split, a batch at a time."""

  def __init__(
    self,
    state: TrainState,
    metrics: Mapping[str, Metric],
    programs: Sequence[_Program],
  ):
    self._state, self._metrics, self._programs = state, metrics, programs
    self._total = None

  def add(self, batch: Batch):
    """Adds the next batch of the split."""
    sums = {}
    for program in self._programs:
      sums |= program.sums(self._state, batch)
    self._total = base.add(self._total, sums)

  def figures(self) -> dict[str, float]:
    """Metrics by name, after the last batch."""
    return base.finalize(self._metrics, self._total)


class Evaluator:
  """Measures states of an experiment, on all devices.

  Programs are compiled when they are first needed, and once.

  Attributes:
    network: the compiled network, for others to read its outputs, too.
  """

  def __init__(self, experiment: Experiment, data: DataSet, device: Devices):
    self.network = ForwardPass(experiment, data, device)
    self._tables, self._programs = experiment.truth, {}
    self._on_devices = {}

  def evaluate(
    self,
    state: TrainState,
    split: str,
    batch_size: int,
    metrics: Sequence[str] | None = None,
  ) -> dict[str, float]:
    """Metrics over a whole split, every example counted once.

    Args:
      state: on the devices.
      split: its name.
      batch_size: examples at once.
      metrics: names, see `metrics.metric_names`; all unless given.

    Raises:
      PluginError: if there is no such metric.
    """
    sums = self._sums(state, metrics)
    for batch in self.network.batches(state, split, batch_size):
      sums.add(batch)
    return sums.figures()

  def evaluate_and_predict(
    self,
    state: TrainState,
    split: str,
    batch_size: int,
    metrics: Sequence[str] | None = None,
  ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """`evaluate`, and in the same pass the arrays of `PredictionPass`."""
    sums = self._sums(state, metrics)
    predictions = PredictionPass(self.network, state, split)
    for batch in self.network.batches(state, split, batch_size):
      sums.add(batch)
      predictions.add(batch)
    return sums.figures(), predictions.arrays()

  def _sums(
    self, state: TrainState, names: Sequence[str] | None
  ) -> '_MetricSums':
    names = base.metric_names() if names is None else tuple(names)
    return _MetricSums(state, self._tables.select(names), self._compiled(names))

  def _compiled(self, names: Sequence[str]) -> list[_Program]:
    """Programs that make up some metrics, as many old ones as there are."""
    chosen, left = [], dict.fromkeys(names)
    for group in sorted(self._programs, key=len, reverse=True):
      if left.keys() >= set(group):
        chosen.append(group)
        left = {name: None for name in left if name not in group}
    if left:
      chosen.append(tuple(left))
      tables = self._placed(left)
      self._programs[tuple(left)] = _Program(tables, self.network)
    return [self._programs[group] for group in chosen]

  def _placed(self, names: Iterable[str]) -> dict[str, Metric]:
    """Metrics with their tables on the devices, each placed once."""
    for name, metric in self._tables.select(names).items():
      if name not in self._on_devices:
        self._on_devices[name] = self.network.devices.put(metric)
    return {name: self._on_devices[name] for name in names}

  def rules(
    self,
    state: TrainState,
    rules: Sequence[Rule],
    companions: Mapping[str, tuple[Experiment, TrainState]],
    splits: Sequence[str],
    batch_size: int,
  ) -> dict[str, dict[str, dict]]:
    """Rule -> split -> what results.json holds of it.

    Args:
      state: of the run.
      rules: what to measure.
      companions: experiment and state of the rules that have a workdir, by it.
      splits: names.
      batch_size: examples at once.
    """
    names = tuple(dict.fromkeys(name for r in rules for name in r.metrics))
    metrics, tables = self._tables.select(names), self._placed(names)
    coarse = {
      workdir: (self._scores_program(experiment), companion)
      for workdir, (experiment, companion) in companions.items()
    }

    def rule_step(tables, scores, coarse_scores, labels, mask):
      return rule_sums(rules, tables, scores, coarse_scores, labels, mask)

    program = self.network.devices.compiled(rule_step, 'wssss')
    figures = {rule.name: {} for rule in rules}
    for split in splits:
      total = None
      for batch in self.network.batches(state, split, batch_size):
        sums = program(
          tables,
          batch.outputs.scores,
          {
            workdir: scores(companion, batch.images)
            for workdir, (scores, companion) in coarse.items()
          },
          batch.labels,
          batch.mask,
        )
        total = base.add(total, sums)
      for rule in rules:
        result = rule.finalize(total[rule.name], metrics)
        figures[rule.name][split] = result.as_json()
    return figures

  def _scores_program(self, experiment: Experiment) -> Callable:
    """Scores of another experiment's network, compiled: (state, images)."""
    devices = self.network.devices
    layout = devices.layout(experiment)
    return devices.compiled(
      lambda state, images: scores_of(
        layout.trimmed(state), images, experiment
      ),
      'ls',
      results=devices.split,
    )


def rule_sums(
  rules: Sequence[Rule],
  metrics: Mapping[str, Metric],
  scores: Float[Array, 'b k'],
  coarse_scores: Mapping[str, Float[Array, 'b m']],
  labels: Int[Array, 'b'],
  mask: Bool[Array, 'b'],
) -> dict[str, dict]:
  """Sums of each rule over a batch, by its name.

  Args:
    rules: what to measure.
    metrics: that the rules read, by name.
    scores: of the run.
    coarse_scores: of other runs, by workdir.
    labels: int[B].
    mask: bool[B], which examples count.
  """
  probs = jax.nn.softmax(scores)
  coarse = {name: jax.nn.softmax(s) for name, s in coarse_scores.items()}
  return {
    rule.name: rule.sums(probs, coarse.get(rule.workdir), labels, mask, metrics)
    for rule in rules
  }
