# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run's inference rules, and the other runs that they read."""

from collections.abc import Iterable

from hafjax.runs import record as records
from hafjax.runs.record import CheckpointError
from hafjax.runs.workdir import Workdir
from hafjax.train import config as config_lib
from hafjax.train.recorded import recorded_config
from hafjax.train.rules import Rule
from hafjax.train.rules import RuleContext
from hafjax.train.rules import RuleError
from hafjax.train.rules import parse_rule
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from hafjax.train.state import TrainState


def parse_rules(setup: Setup) -> list[Rule]:
  """The inference rules of a run's config.

  Raises:
    RuleError: if there is none of a name, or it cannot be used here.
    CheckpointError: if a rule names a workdir without a run.
  """
  data = setup.data
  context = RuleContext(data.hierarchy, data.distances, data.kind, _level_of)
  return [parse_rule(name, context) for name in setup.config.eval.rules]


def _level_of(workdir: str) -> int:
  level = records.read_record(workdir)['config'].get('level')
  if level is None:
    raise RuleError(
      f'The run in {workdir} was trained on leaves: a rule hie:WORKDIR needs '
      'one that was trained with --config.level.'
    )
  return level


def restore_companions(
  rules: Iterable[Rule], setup: Setup
) -> dict[str, tuple[Session, TrainState]]:
  """Sessions and best states of the runs that rules ask for, by workdir.

  Args:
    rules: of the run.
    setup: the run's; its data set is theirs, at the level of each.

  Raises:
    RuleError: if a run sees other images.
    CheckpointError: if there is no such run, or it has no checkpoint.
  """
  workdirs = sorted({rule.workdir for rule in rules} - {''})
  return {workdir: _restore(workdir, setup) for workdir in workdirs}


def _restore(workdir: str, setup: Setup) -> tuple[Session, TrainState]:
  config = setup.config
  other = recorded_config(
    workdir, data_dir=config.data_dir, hierarchy='', ks=config.ks
  )
  for field in ('dataset', 'image_size'):
    if other[field] != config[field]:
      raise RuleError(
        f'The run in {workdir} has {field}={other[field]!r} and this one '
        f'{config[field]!r}: hie:WORKDIR needs two that see the same images.'
      )
  coarse = setup.data.at_level(other.level)
  # On the same devices as the run itself.
  other.mesh.update(config.mesh)
  session = Session(Setup.create(other, coarse))
  record = records.describe(other, coarse)
  run = Workdir(workdir, record, config_lib.identity, create=False)
  try:
    step = run.checkpoints.best_step()
    if step is None:
      raise CheckpointError(
        f'{workdir}, of a rule hie:WORKDIR, has no checkpoint yet.'
      )
    return session, run.checkpoints.restore(step, session.abstract_state)
  finally:
    run.close()
