# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training: one loop, one working directory."""

import functools
import time

from absl import logging
import jax

from hafjax import collapse
from hafjax.data import open_dataset
from hafjax.errors import UserError
from hafjax.files.text import describe_error
from hafjax.models import pretrained
from hafjax.runs import checkpoints
from hafjax.runs import tables
from hafjax.runtime import preemption
from hafjax.runtime import progress as progress_lib
from hafjax.runtime.devices import Devices
from hafjax.train import step as step_lib
from hafjax.train.collapse import CollapsePass
from hafjax.train.collapse import check_layers
from hafjax.train.config import check_config
from hafjax.train.config import collect_errors
from hafjax.train.evaluator import Evaluator
from hafjax.train.rules import RuleContext
from hafjax.train.rules import RuleError
from hafjax.train.rules import parse_rule
from hafjax.train.setup import frame_of
from hafjax.train.setup import make_experiment

# Metrics of the validation split after every epoch.
EVERY_EPOCH = ('loss', 'ranking', 'alignment')


class DivergedError(UserError):
  """A loss that is not a number any more; says since when, and what to do."""


def train_and_evaluate(config, workdir: str) -> dict:
  """Trains (or continues, or only reports) the run of a config.

  Args:
    config: see `configs/common.py`.
    workdir: the run's own directory; the same config and directory continue
      where a killed run was last saved.

  Returns:
    What `results.json` holds: 'method', 'seed', metrics under 'test' and 'val'
    (of the best checkpoint by validation top-1), and how it was trained.

  Raises:
    ValueError: if config, data, hierarchy, frame, weights to start from or
      workdir are bad; told before training starts.
  """
  check_config(config, jax.device_count())
  data = open_dataset(config)
  experiment = make_experiment(config, data)
  record = checkpoints.describe(config, data)
  is_training = config.mode == 'train'
  _, _, backbone, (rules, companions) = collect_errors(
    lambda: checkpoints.check(workdir, record, is_training),
    lambda: check_layers(config.collapse.layers, experiment, data.image_shape),
    lambda: _first_weights(config, data, workdir),
    lambda: _rules(config, data),
  )
  # What takes long comes after everything that may be wrong.
  data = data.decoded(config.input)
  run = checkpoints.Workdir(
    workdir,
    record,
    create=is_training,
    kept=_last_steps(config.keep_every, config, len(data.splits['train'])),
  )
  try:
    if config.mode == 'eval':
      results = _evaluate_best(config, run, experiment, data)
      splits = ('test',)
    else:
      results = run.results()
      splits = ('val', 'test')
      if results is None:
        results = _train(config, run, experiment, data, backbone)
      else:
        logging.info('%s is done: nothing is trained again.', run.folder)
    missing = tuple(r for r in rules if r.name not in results.get('rules', {}))
    if missing:
      device = Devices(data, config.mesh)
      state = device.abstract_state(experiment)
      best = run.restore(results['best_step'], state)
      evaluator = Evaluator(experiment, data, device)
      found = evaluator.rules(
        best, missing, companions, splits, config.eval_batch_size
      )
      results = results | dict(rules=results.get('rules', {}) | found)
      if config.mode == 'train':
        run.finish(results)
    logging.info('\n%s', tables.results_table([results]))
    if table := tables.curve_table([results]):
      logging.info('\n%s', table)
    return results
  finally:
    run.close()


def _first_weights(config, data, workdir: str) -> dict | None:
  """What a new run's backbone starts from, if not from the seed."""
  if not config.init_from or config.mode != 'train':
    return None
  if not checkpoints.is_new(workdir):
    return None
  # Before the directory is made: a bad file leaves nothing behind.
  return pretrained.initial_backbone(
    config.init_from, config.model, data.image_shape
  )


def _rules(config, data):
  """The config's rules, parsed, and what they need of other runs."""

  def level_of(workdir):
    level = checkpoints.read_record(workdir)['config'].get('level')
    if level is None:
      raise RuleError(
        f'The run in {workdir} was trained on leaves: a rule hie:WORKDIR needs '
        'one that was trained with --config.level.'
      )
    return level

  setting = RuleContext(data.hierarchy, data.distances, data.kind, level_of)
  rules = [parse_rule(name, setting) for name in config.eval.rules]
  return rules, _companions(rules, config, data)


def recorded_config(workdir: str, **changes):
  """The config that a run was started with.

  Args:
    workdir: the run's.
    **changes: fields that say where and how, such as `data_dir`.

  Raises:
    CheckpointError: if there is no run, or one of before some field.
  """
  # The step and the model are used where there are no such configs, too.
  from ml_collections import config_dict

  config = checkpoints.read_record(workdir)['config'] | changes
  missing = [name for name in ('hierarchy', 'data_dir') if name not in config]
  if missing:
    raise checkpoints.CheckpointError(
      f'The run in {workdir} is of an older version: its run.json has no '
      f'config.{missing[0]}. Write it there ("" for the default), or train '
      'again.'
    )
  try:
    return config_dict.ConfigDict(config)
  except (KeyError, TypeError, ValueError) as error:  # Of impossible names.
    raise checkpoints.CheckpointError(
      f'The config in {workdir}/run.json is damaged '
      f'({describe_error(error)}): restore it, or train again.'
    ) from error


def _companions(rules, config, data) -> dict:
  """Experiment and best state of every other run that rules ask for."""
  found = {}
  for workdir in sorted({rule.workdir for rule in rules} - {''}):
    other = recorded_config(
      workdir, data_dir=config.data_dir, hierarchy='', ks=config.ks
    )
    for field in ('dataset', 'image_size'):
      if other[field] != config[field]:
        raise RuleError(
          f'The run in {workdir} has {field}={other[field]!r} and this one '
          f'{config[field]!r}: hie:WORKDIR needs two that see the same images.'
        )
    coarse = data.at_level(other.level)
    run = checkpoints.Workdir(
      workdir, checkpoints.describe(other, coarse), create=False
    )
    try:
      if run.best_step() is None:
        raise checkpoints.CheckpointError(
          f'{workdir}, of a rule hie:WORKDIR, has no checkpoint yet.'
        )
      experiment = make_experiment(other, coarse)
      state = Devices(coarse, config.mesh).abstract_state(experiment)
      found[workdir] = (experiment, run.restore(run.best_step(), state))
    finally:
      run.close()
  return found


def _evaluate_best(config, run, experiment, data) -> dict:
  best = run.best_step()
  if best is None:
    raise checkpoints.CheckpointError(
      f'{run.folder} has no checkpoint to evaluate: train first, with '
      '--config.mode=train.'
    )
  device = Devices(data, config.mesh)
  state = run.restore(best, device.abstract_state(experiment))
  evaluator = Evaluator(experiment, data, device)
  found = evaluator.evaluate(state, 'test', config.eval_batch_size)
  return dict(_identity(config), best_step=best, test=found)


def _identity(config) -> dict:
  return dict(
    method=config.method.name, variant=config.variant, seed=config.seed
  )


def _train(config, run, experiment, data, backbone) -> dict:
  device = Devices(data, config.mesh)
  trainer = step_lib.Trainer(experiment, device)
  evaluator = Evaluator(experiment, data, device)
  geometry = CollapsePass(
    experiment, data, device, config.eval_batch_size, evaluator.network
  )
  run.claim()
  saved = run.restore_latest(device.abstract_state(experiment))
  if saved is None:
    start, totals = 0, trainer.totals()
    state = device.initial_state(experiment, backbone)
    layout = device.layout(experiment)
    progress_lib.log_parameters(layout.trimmed(state).params)
  else:
    start, state, found = saved
    totals = trainer.totals(found)
    logging.info('Continuing %s at step %d.', run.folder, start)
  run.rewind_log(start)
  curves = progress_lib.Curves(run.folder)
  num_steps, batch_size = experiment.num_steps, config.batch_size
  num_train = len(data.splits['train'])
  batches = device.training_batches(batch_size, config.seed, start, num_steps)
  progress = progress_lib.Progress(
    start, num_steps, batch_size, config.log_seconds
  )
  pauses = _last_steps(config.eval_every, config, num_train) | {num_steps}
  watched = _last_steps(config.collapse.every, config, num_train)
  if config.collapse.every:
    watched |= {num_steps}
  profile = progress_lib.profiler(run.folder, start + 10, config.profile)
  interval = preemption.SaveTimer(start, config.save_minutes, progress)
  began = time.monotonic()

  # Nothing may travel to or from the devices unasked inside the loop.
  with jax.transfer_guard('disallow'), preemption.StopSignal() as signals:
    for step, batch in enumerate(batches, start + 1):
      state, totals = trainer(state, totals, *batch)
      sync = functools.partial(_sync, trainer, state, totals, run)
      progress(step, sync)
      profile(step)
      stop = run.asked_to_stop(step, signals)
      if step not in pauses:
        if interval.due(step, sync) or stop:
          sync()
          with progress.pause(), jax.transfer_guard('allow'):
            run.save(step, state, totals=_numbers(totals))
        if stop:
          _stop(run, step, signals)
        continue
      sync()
      with progress.pause(), jax.transfer_guard('allow'):
        found = _measure(evaluator, state, totals, config)
        run.log(
          dict(
            step=step,
            epoch=round(step * batch_size / num_train, 3),
            images_per_second=round(progress.speed(step) * batch_size, 1),
            **found,
          )
        )
        curves.write(step, found)
        logging.info(
          'epoch %.4g/%d: train loss %.4f, top-1 %.4f; validation top-1 %.4f, '
          'mistake severity %.3f',
          step * batch_size / num_train,
          config.num_epochs,
          found['train_loss'],
          found['train_top1'],
          found['val_top1'],
          found['val_mistake_severity'],
        )
        if step in watched:
          for record in collapse_records(geometry, state, config):
            run.log(record, 'collapse')
            curves.write(step, _curve(record))
        # Logged first: a kill in between repeats the log's line, and
        # rewinding drops it.
        run.save(step, state, found['val_top1'])
        totals = trainer.totals()
      if stop:
        _stop(run, step, signals)
  curves.flush()
  run.wait()

  results = dict(
    _identity(config),
    distance=data.kind,
    num_steps=num_steps,
    num_epochs=config.num_epochs,
    train_seconds=round(time.monotonic() - began, 1),
    images_per_second=round(progress.speed(num_steps) * batch_size, 1),
    best_step=run.best_step(),
    memory=trainer.memory,
  )
  if frame_of(state) is not None:
    results['last_train'] = evaluator.evaluate(
      state, 'train', config.eval_batch_size, EVERY_EPOCH
    )
  best = run.restore(run.best_step(), state)
  results['val'] = evaluator.evaluate(best, 'val', config.eval_batch_size)
  results['test'], arrays = evaluator.evaluate_and_predict(
    best, 'test', config.eval_batch_size
  )
  run.save_arrays(arrays, 'predictions')
  run.finish(results)
  return results


def _numbers(totals: dict) -> dict[str, float]:
  """Totals on the host, exactly."""
  return {name: float(value) for name, value in totals.items()}


def _stop(run: checkpoints.Workdir, step: int, signals: preemption.StopSignal):
  """Ends the program when everything is on disk."""
  run.wait()
  logging.info(
    'Stopped by %s: everything up to step %d is saved in %s; the same command '
    'goes on from there.',
    signals.name,
    step,
    run.folder,
  )
  raise preemption.Stopped(signals.exit_status)


def _sync(trainer, state, totals, run: checkpoints.Workdir):
  """Waits for the devices; raises DivergedError if the loss has exploded."""
  jax.block_until_ready(state)
  with jax.transfer_guard('allow'):
    step = trainer.diverged_at(totals)
  if step is None:
    return
  saved = run.latest_step()
  raise DivergedError(
    f'The training loss is infinite or not a number from step {step} on: '
    'nothing was saved since, '
    + (
      f'the last good checkpoint in {run.folder} is of step {saved}'
      if saved
      else 'and there is no checkpoint before'
    )
    + '. Most often a learning rate is too high: start in a new --workdir with '
    'lower config.lr (of the part that is new, config.lr.classifier, first), '
    'or with --config.clip_norm=1; with config.dtype=bfloat16, try float32; '
    'and look for NaN in the data.'
  )


def _measure(evaluator, state, totals, config) -> dict:
  sums = _numbers(totals)
  found = dict(
    train_loss=sums['loss'] / sums['count'],
    train_top1=sums['top1'] / sums['count'],
  )
  validation = evaluator.evaluate(
    state, 'val', config.eval_batch_size, EVERY_EPOCH
  )
  return found | {f'val_{name}': value for name, value in validation.items()}


def _last_steps(every: int, config, num_train: int) -> set[int]:
  """The last step of every so many epochs; none for 0."""
  if not every:
    return set()
  epochs = range(every, config.num_epochs + 1, every)
  return {epoch * num_train // config.batch_size for epoch in epochs}


def collapse_records(geometry, state, config) -> list[dict]:
  """Measures of a state's collapse as the config asks for, for the log."""
  step = int(state.step)
  epoch = step * config.batch_size / geometry.num_examples('train')
  records = []
  for split in config.collapse.splits:
    for found in geometry.collapse(state, split, config.collapse.layers):
      record = dict(step=step, epoch=round(epoch, 3), **found)
      records.append(record)
      logging.info(
        'collapse of %s on %s: %s',
        record['layer'],
        split,
        ', '.join(
          f'{name} {record[name]:.4g}'
          for name, measure in collapse.MEASURES.items()
          if measure.logged and name in record
        ),
      )
  return records


def _curve(record: dict) -> dict[str, float]:
  """A record of collapse as named curves."""
  prefix = f'{record["split"]}_{record["layer"]}'
  return {
    f'{prefix}_{name}': value
    for name, value in record.items()
    if isinstance(value, float) and name != 'epoch'
  }
