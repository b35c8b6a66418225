# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run from its config: trained, continued, evaluated or only reported."""

from absl import logging
import jax

from hafjax.models import pretrained
from hafjax.runs import checkpoints
from hafjax.runs import record as records
from hafjax.runs import tables
from hafjax.runs.workdir import Workdir
from hafjax.train import config as config_lib
from hafjax.train import loop
from hafjax.train import rerun
from hafjax.train.collapse import CollapsePass
from hafjax.train.collapse import check_layers
from hafjax.train.companions import parse_rules
from hafjax.train.companions import restore_companions
from hafjax.train.evaluator import Evaluator
from hafjax.train.results import add_rules
from hafjax.train.results import final_results
from hafjax.train.session import Session
from hafjax.train.setup import Setup


def train_and_evaluate(config, workdir: str) -> dict:
  """Trains (or continues, or only reports) the run of a config.

  Args:
    config: see `train.config`.
    workdir: the run's own folder; the same config and folder continue where a
      killed run was last saved.

  Returns:
    The content of `results.json`: 'method', 'seed', metrics under 'test' and
    'val' (of the best checkpoint by validation top-1), and how it was trained.

  Raises:
    UserError: if config, data, hierarchy, frame, initial weights or workdir are
      bad; told before training starts.
  """
  config_lib.check_config(config, jax.device_count())
  if config.mode == 'eval':
    results = rerun.evaluate_as(config, workdir)
    _log_tables(results)
    return results
  setup = Setup.create(config, streams=records.streams(workdir))
  record = records.describe(config, setup.data)
  # Cheap checks first, then image decoding.
  _, _, backbone, (rules, companions) = config_lib.collect_errors(
    lambda: records.check(workdir, record, config_lib.identity),
    lambda: check_layers(config.collapse.layers, setup),
    lambda: _initial_backbone(setup, workdir),
    lambda: _rules(setup),
  )
  setup = setup.decoded()
  session = Session(setup)
  evaluator, collapse_pass = Evaluator(session), CollapsePass(session)
  run = Workdir(
    workdir, record, config_lib.identity, kept=setup.schedule.keep_steps
  )
  try:
    results = run.results()
    if results is None:
      state, training = loop.train(
        session, evaluator, collapse_pass, run, backbone
      )
      results = final_results(
        evaluator, collapse_pass, setup, run, state, training
      )
      run.finish(results)
    else:
      logging.info('%s is done: nothing is trained again.', run.folder)
      _warn_of_differences(run, record)
    if add_rules(
      results, evaluator, session.abstract_state, run, rules, companions
    ):
      run.finish(results)
    _log_tables(results)
    return results
  finally:
    run.close()


def _initial_backbone(setup: Setup, workdir: str) -> dict | None:
  """Variables that a new run's backbone starts from, if not from the seed."""
  config = setup.config
  if not config.init_from or not checkpoints.is_new(workdir):
    return None
  return pretrained.initial_backbone(
    config.init_from, config.model, setup.data.image_shape
  )


def _rules(setup: Setup) -> tuple:
  """The config's inference rules, and the other runs that they need."""
  rules = parse_rules(setup)
  return rules, restore_companions(rules, setup)


def _warn_of_differences(run: Workdir, record: dict):
  """Tells which settings of the evaluation the results do not follow."""
  recorded = records.read_record(run.folder)['config']
  names = config_lib.measured_differently(recorded, record['config'])
  if names:
    logging.warning(
      'The results in %s were measured with other settings of %s: '
      '`python -m hafjax.evaluate --workdir=%s` measures them again.',
      run.folder,
      ', '.join(names),
      run.folder,
    )


def _log_tables(results: dict):
  logging.info('\n%s', tables.results_table([results]))
  for table in tables.curve_tables([results]):
    logging.info('\n%s', table)
