# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluates runs again, each by its best checkpoint."""

from collections.abc import Iterable, Sequence
import json
import os
import pathlib

from absl import logging
import jax

from hafjax import metrics
from hafjax.runs import record as records
from hafjax.runs.logs import COLLAPSE
from hafjax.runs.record import CheckpointError
from hafjax.runs.workdir import Workdir
from hafjax.train import config as config_lib
from hafjax.train.collapse import CollapsePass
from hafjax.train.collapse import check_layers
from hafjax.train.collapse import collapse_records
from hafjax.train.companions import parse_rules
from hafjax.train.companions import restore_companions
from hafjax.train.evaluator import Evaluator
from hafjax.train.recorded import recorded_config
from hafjax.train.results import add_rules
from hafjax.train.results import measure_best
from hafjax.train.results import run_name
from hafjax.train.session import Session
from hafjax.train.setup import Setup


def runs_in(folders: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
  """Folders of runs that are done, in and below the given ones.

  Raises:
    CheckpointError: if a folder has none.
  """
  result = {}
  for folder in folders:
    files = sorted(pathlib.Path(folder).rglob('results.json'))
    if not files:
      raise CheckpointError(
        f'{folder} holds no run that is done: results.json is missing.'
      )
    result |= {file.parent.resolve(): None for file in files}
  return list(result)


def evaluate_run(
  folder: str | os.PathLike,
  *,
  layers: Sequence[str] = ('features',),
  splits: Sequence[str] = ('train',),
  rules: Sequence[str] = (),
  **changes,
) -> dict:
  """Measures a run again, and rewrites its files where it is done.

  `results.json`: metrics of validation and test split of the best checkpoint,
  and inference rules; `predictions.npz`; and `collapse.jsonl`: neural collapse
  at every checkpoint.

  Args:
    folder: the run's.
    layers: that collapse is measured at.
    splits: that collapse is measured on; () for none.
    rules: inference rules to add; those in results.json are measured anew.
    **changes: fields of the config that say where and how, such as `data_dir`,
      `hierarchy` and `ks`.

  Returns:
    The content of results.json; of a run that is not done, what it would hold
    of the best checkpoint so far, and nothing is written.

  Raises:
    UserError: of the kind of what cannot be had.
  """
  config = recorded_config(folder, **changes)
  if 'ks' not in changes:
    config.ks = sorted({*config.ks, *metrics.KS})
  config.mesh = dict(data=-1, model=1)
  # Any multiple of the devices: batches are padded.
  count = jax.device_count()
  config.eval_batch_size = -(-config.eval_batch_size // count) * count
  config.collapse = dict(every=1, splits=tuple(splits), layers=tuple(layers))
  setup = Setup.create(config, streams=records.streams(folder)).decoded()
  check_layers(layers, setup)
  record = records.describe(config, setup.data)
  run = Workdir(folder, record, config_lib.identity, create=False)
  try:
    return _evaluate(run, Session(setup), rules)
  finally:
    run.close()


def _evaluate(run: Workdir, session: Session, rules: Sequence[str]) -> dict:
  setup, state = session.setup, session.abstract_state
  evaluator, collapse_pass = Evaluator(session), CollapsePass(session)
  results = run.results()
  is_done = results is not None
  if not is_done:
    logging.warning('%s is not done: nothing is written there.', run.folder)
    best_step = run.checkpoints.best_step()
    if best_step is None:
      raise CheckpointError(
        f'{run.folder} has no checkpoint to evaluate: train first.'
      )
    results = dict(run_name(setup.config), best_step=best_step)
  # Rules that were measured before are measured anew.
  setup.config.eval.rules = tuple(
    dict.fromkeys([*results.pop('rules', {}), *rules])
  )
  parsed = parse_rules(setup)
  companions = restore_companions(parsed, setup)
  if is_done and setup.config.collapse.splits:
    _rewrite_collapse(run, session, collapse_pass)
  best = run.checkpoints.restore(results['best_step'], state)
  results |= dict(distance=setup.data.kind)
  results |= measure_best(
    evaluator, collapse_pass, setup, run if is_done else None, best
  )
  add_rules(results, evaluator, state, run, parsed, companions)
  if is_done:
    run.finish(results)
  return results


def _rewrite_collapse(
  run: Workdir, session: Session, collapse_pass: CollapsePass
):
  """Measures collapse at every checkpoint; other steps' records stay."""
  measured = []
  for step in run.checkpoints.steps():
    state = run.checkpoints.restore(step, session.abstract_state)
    measured += collapse_records(collapse_pass, state, session.setup)

  def key(record):
    # Records of the first version name neither.
    split, layer = record.get('split', 'train'), record.get('layer')
    return record['step'], split, layer or 'features'

  new = {key(record) for record in measured}
  kept = [r for r in run.logs.read(COLLAPSE) if key(r) not in new]
  run.logs.rewrite(
    sorted(measured + kept, key=lambda record: record['step']), COLLAPSE
  )


def evaluate_as(config, folder: str | os.PathLike) -> dict:
  """`evaluate_run` for the settings of a config, which must be that run's.

  Raises:
    CheckpointError: if there is no run, or it is another one.
  """
  recorded = records.read_record(folder)
  given = recorded | dict(config=json.loads(config.to_json()))
  records.check(folder, given, config_lib.identity, create=False)
  collapse = config.collapse
  return evaluate_run(
    folder,
    layers=collapse.layers,
    splits=collapse.splits if collapse.every else (),
    rules=config.eval.rules,
    data_dir=config.data_dir,
    hierarchy=config.hierarchy,
    ks=config.ks,
  )
