# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Results of a run: what `results.json` and `predictions.npz` hold."""

from collections.abc import Sequence

from hafjax.runs.workdir import Workdir
from hafjax.train.collapse import CollapsePass
from hafjax.train.evaluator import Evaluator
from hafjax.train.predictions import predictions
from hafjax.train.rules import Rule
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState
from hafjax.train.state import frame_of


def final_results(
  evaluator: Evaluator,
  collapse_pass: CollapsePass,
  setup: Setup,
  run: Workdir,
  state: TrainState,
  training: dict,
) -> dict:
  """Measures a run that was trained, and writes `predictions.npz`.

  Args:
    evaluator: of the run's states.
    collapse_pass: likewise.
    setup: the run's.
    run: its folder.
    state: after the last step.
    training: how it was trained, see `loop.train`.

  Returns:
    The content of `results.json`.
  """
  config = setup.config
  best_step = run.checkpoints.best_step()
  results = dict(
    run_name(config),
    distance=setup.data.kind,
    **training,
    best_step=best_step,
  )
  if frame_of(state) is not None:
    results['last_train'] = evaluator.evaluate(
      state, 'train', config.eval.every_epoch
    )
  best = run.checkpoints.restore(best_step, state)
  return results | measure_best(evaluator, collapse_pass, setup, run, best)


def measure_best(
  evaluator: Evaluator,
  collapse_pass: CollapsePass,
  setup: Setup,
  run: Workdir | None,
  best: TrainState,
) -> dict:
  """All metrics of the best state on validation and test split.

  Also writes `predictions.npz`, of the test split, into the run's folder, where
  one is given.

  Returns:
    Metrics by 'val' and 'test'.
  """
  names = setup.config.eval.final
  results = {
    split: evaluator.evaluate(best, split, names) for split in ('val', 'test')
  }
  if run is not None:
    arrays = predictions(collapse_pass, best, setup)
    run.save_arrays(arrays, 'predictions')
  return results


def run_name(config) -> dict:
  """What tells a run from others in tables."""
  return dict(
    method=config.method.name, variant=config.variant, seed=config.seed
  )


def add_rules(
  results: dict,
  evaluator: Evaluator,
  abstract_state: TrainState,
  run: Workdir,
  rules: Sequence[Rule],
  companions: dict[str, tuple[Session, TrainState]],
) -> bool:
  """Measures inference rules that results lack, and adds them.

  Args:
    results: of the run; its 'rules' may change.
    evaluator: of the run's states.
    abstract_state: to restore into.
    run: its folder.
    rules: that should be there.
    companions: sessions and states of the runs that rules read, by workdir.

  Returns:
    Whether any was added.
  """
  missing = [r for r in rules if r.name not in results.get('rules', {})]
  if not missing:
    return False
  best = run.checkpoints.restore(results['best_step'], abstract_state)
  measured = evaluator.rules(best, tuple(missing), companions, ('val', 'test'))
  results['rules'] = results.get('rules', {}) | measured
  return True
