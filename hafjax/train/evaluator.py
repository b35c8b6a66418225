# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics and inference rules of a state over a split."""

from collections.abc import Callable, Sequence
import functools

import jax
import numpy as np

from hafjax import metrics
from hafjax.metrics import base
from hafjax.models.outputs import HeadOutputs
from hafjax.runtime import mesh
from hafjax.train.rules import Rule
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState
from hafjax.train.state import frame_of

# On CPU, XLA's sort of more ranks than this is slower than a sort on the host.
_MOST_TOP_K = 128


# --- Steps --------------------------------------------------------------------


def outputs_of(
  state: TrainState, images: jax.Array, setup: Setup
) -> HeadOutputs:
  """The network's outputs for uint8 images, not training."""
  return setup.network.apply(
    {'params': state.params, **state.variables},
    setup.data.preprocess(images),
    train=False,
  )


def eval_step(
  state: TrainState,
  images: jax.Array,
  labels: jax.Array,
  mask: jax.Array,
  tables: dict,
  setup: Setup,
) -> tuple[dict, jax.Array]:
  """Sums of metrics over a batch.

  Args:
    state: whose weights and running statistics are used.
    images: uint8[B, h, w, c].
    labels: int[B].
    mask: bool[B], which examples count.
    tables: of the metrics, by name, see `metrics.MetricTables`.
    setup: of the run.

  Returns:
    Sums, see `metrics.metric_sums`; and scores of the classes, [B, K].
  """
  method = setup.method
  outputs = outputs_of(state, images, setup)
  scores = mesh.over_all(method.scores(outputs))
  batch = metrics.Scored.create(
    scores,
    labels,
    metrics.num_ranks(tables),
    # The loss as it is at the end of training, comparable between epochs.
    losses=method.loss(outputs, mesh.over_data(labels), 1.0),
    features=outputs.features,
    frame=outputs.frame,
  )
  return metrics.metric_sums(batch, tables, mask), scores


def ranked_step(
  scores: jax.Array,
  ranked: jax.Array,
  labels: jax.Array,
  mask: jax.Array,
  tables: dict,
) -> dict:
  """Sums of metrics over a batch whose classes were ranked on the host."""
  num_ranks = ranked.shape[1]
  batch = metrics.Scored.create(scores, labels, num_ranks, ranked=ranked)
  return metrics.metric_sums(batch, tables, mask)


def probabilities(
  state: TrainState, images: jax.Array, setup: Setup
) -> jax.Array:
  """Softmax of the method's scores, float32[B, K], for uint8 images."""
  outputs = outputs_of(state, images, setup)
  return mesh.over_all(jax.nn.softmax(setup.method.scores(outputs)))


# --- Over a split -------------------------------------------------------------


class Evaluator:
  """Compiled evaluation of a run's states, on all devices.

  Programs are compiled once for each choice of metrics.
  """

  def __init__(self, session: Session):
    self._session = session
    self._programs, self._tables = {}, {}

  def evaluate(
    self,
    state: TrainState,
    split: str,
    names: Sequence[str] = metrics.NAMES,
  ) -> dict[str, float]:
    """Metrics over a whole split, every example counted once.

    Args:
      state: of the run.
      split: 'train', 'val' or 'test'.
      names: of the metrics.

    Returns:
      Values by name, see the metrics; those that do not apply, such as
      'alignment' where no frame is fixed, are left out.
    """
    tables = self._session.setup.tables.of(names)
    add = self._adder(tuple(names), tables)
    total = None
    for batch in self._batches(split):
      total = _added(total, add(state, *batch))
    return metrics.finalize(total, tables, self._frame(state))

  def _batches(self, split: str):
    config = self._session.setup.config
    return self._session.feed.batches(split, config.eval_batch_size)

  def _frame(self, state: TrainState):
    """Fixed class vectors, or None."""
    if frame_of(state) is None:
      return None
    return self._compiled_frame(state)

  @functools.cached_property
  def _compiled_frame(self) -> Callable:
    layout = self._session.layout
    return self._session.devices.compile(
      lambda state: frame_of(layout.trimmed(state)), in_shardings=(None,)
    )

  def _placed(self, names: tuple[str, ...], tables: dict) -> dict:
    """Tables of metrics on the devices, placed once."""
    for name in names:
      if name not in self._tables:
        self._tables[name] = self._session.devices.put(tables[name])
    return {name: self._tables[name] for name in names}

  def _adder(self, names: tuple[str, ...], tables: dict) -> Callable:
    """A function of state and batch: sums of metrics."""
    if not _ranks_on_host(tables):
      program = self._program(names)
      return lambda state, images, labels, mask: program(
        state, images, labels, mask, self._placed(names, tables)
      )[0]
    ordered = tuple(
      name for name in names if metrics.num_ranks({name: tables[name]}) > 1
    )
    others = tuple(name for name in names if name not in ordered)
    program, devices = self._program(others), self._session.devices
    ranked_program = self._ranked_program

    def add(state, images, labels, mask):
      sums, scores = program(
        state, images, labels, mask, self._placed(others, tables)
      )
      on_host = base.label_last_where_invalid(
        np.asarray(scores), np.asarray(labels), np
      )
      ranked = devices.put(base.rank_on_host(on_host), devices.batch)
      return sums | ranked_program(
        scores, ranked, labels, mask, self._placed(ordered, tables)
      )

    return add

  def _program(self, names: tuple[str, ...]) -> Callable:
    """`eval_step` for some metrics, compiled once."""
    if names not in self._programs:
      session = self._session
      devices, layout = session.devices, session.layout

      def step(state, images, labels, mask, tables):
        state = layout.trimmed(state)
        return eval_step(state, images, labels, mask, tables, session.setup)

      batch = devices.batch
      self._programs[names] = devices.compile(
        step,
        in_shardings=(None, batch, batch, batch, devices.replicated),
        out_shardings=(devices.replicated, batch),
      )
    return self._programs[names]

  @functools.cached_property
  def _ranked_program(self) -> Callable:
    devices = self._session.devices
    return devices.compile(
      ranked_step,
      in_shardings=(*(devices.batch,) * 4, devices.replicated),
    )

  def rules(
    self,
    state: TrainState,
    rules: Sequence[Rule],
    companions: dict[str, tuple[Session, TrainState]],
    splits: Sequence[str],
  ) -> dict:
    """Measures inference rules.

    Args:
      state: of the run.
      rules: to be measured.
      companions: sessions and states of the runs that rules read, by workdir.
      splits: names.

    Returns:
      Rule -> split -> what the rule measures, by name.
    """
    session = self._session
    sessions = {'': session} | {
      w: other for w, (other, _) in companions.items()
    }
    states = {'': state} | {w: other for w, (_, other) in companions.items()}

    def step(states, images, labels, mask, ranking):
      probs = {
        workdir: probabilities(
          sessions[workdir].layout.trimmed(state),
          images,
          sessions[workdir].setup,
        )
        for workdir, state in states.items()
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

    devices = session.devices
    batch = devices.batch
    program = devices.compile(
      step, in_shardings=(None, batch, batch, batch, devices.replicated)
    )
    names = ('ranking',)
    ranking = self._placed(names, session.setup.tables.of(names))['ranking']
    results = {rule.name: {} for rule in rules}
    for split in splits:
      total = None
      for images, labels, mask in self._batches(split):
        total = _added(total, program(states, images, labels, mask, ranking))
      for rule in rules:
        results[rule.name][split] = rule.finalize(total[rule.name], ranking)
    return results


def _ranks_on_host(tables: dict) -> bool:
  """Whether classes are ranked between two programs, see `_MOST_TOP_K`."""
  return (
    metrics.num_ranks(tables) > _MOST_TOP_K
    and jax.default_backend() == 'cpu'
    and jax.process_count() == 1
  )


def _added(total, sums):
  """Sums added in float64 on the host: exact counts, for splits of any size."""
  sums = jax.tree.map(lambda x: np.asarray(x, np.float64), sums)
  return sums if total is None else jax.tree.map(np.add, total, sums)
