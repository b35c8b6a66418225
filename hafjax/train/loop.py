# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The training loop."""

import functools
import time

from absl import logging
import jax

from hafjax.errors import UserError
from hafjax.runs.logs import COLLAPSE
from hafjax.runs.workdir import Workdir
from hafjax.runtime import preemption
from hafjax.runtime import progress as progress_lib
from hafjax.train.collapse import CollapsePass
from hafjax.train.collapse import collapse_records
from hafjax.train.evaluator import Evaluator
from hafjax.train.session import Session
from hafjax.train.state import TrainState
from hafjax.train.step import Trainer


class DivergedError(UserError):
  """Infinite or NaN training loss; the message says since when."""


def train(
  session: Session,
  evaluator: Evaluator,
  collapse_pass: CollapsePass,
  run: Workdir,
  backbone: dict | None = None,
) -> tuple[TrainState, dict]:
  """Trains a run from where it was last saved to its end.

  Args:
    session: the run's setup on devices.
    evaluator: of its states.
    collapse_pass: likewise.
    run: its folder.
    backbone: variables that a new run's backbone starts from.

  Returns:
    The state after the last step, and how it was trained, for results.json.

  Raises:
    DivergedError: if the loss is infinite or not a number.
    preemption.Stopped: if the process was asked to stop; everything is saved.
  """
  setup, config = session.setup, session.setup.config
  schedule, batch_size = setup.schedule, config.batch_size
  num_steps, num_train = schedule.num_steps, len(setup.data.splits['train'])
  trainer = Trainer(session)

  # --- Restore, or start
  run.claim()
  saved = run.checkpoints.restore_latest(session.abstract_state)
  if saved is None:
    start, totals = 0, trainer.totals()
    state = session.initial_state(backbone)
    progress_lib.log_parameters(session.layout.trimmed(state).params)
  else:
    start, state, sums = saved
    totals = trainer.totals(sums)
    logging.info('Continuing %s at step %d.', run.folder, start)
  # What was logged after the checkpoint is about to happen again.
  run.logs.rewind(start)

  # --- Input, progress, and when to save
  batches = session.feed.training_batches(
    batch_size, config.seed, start, num_steps
  )
  progress = progress_lib.Progress(
    start, num_steps, batch_size, config.log_seconds
  )
  curves = progress_lib.Curves(run.folder)
  profile = progress_lib.profiler(run.folder, start + 10, config.profile)
  timer = preemption.SaveTimer(start, config.save_minutes, progress)
  start_time = time.monotonic()

  # --- Loop. Nothing may travel to or from the devices unasked inside it.
  with jax.transfer_guard('disallow'), preemption.StopSignal() as stop_signal:
    for step, batch in enumerate(batches, start + 1):
      state, totals = trainer(state, totals, *batch)
      sync = functools.partial(_sync, trainer, state, totals, run)
      progress(step, sync)
      profile(step)
      stop = _asked_to_stop(run, step, stop_signal)

      if step in schedule.eval_steps:
        sync()
        with progress.pause(), jax.transfer_guard('allow'):
          metrics = _evaluate(evaluator, state, totals, config)
          epoch = step * batch_size / num_train
          # Logged before saving: after a kill in between, the log's line is
          # dropped by rewinding and written again. The other way round it would
          # be missing.
          run.logs.append(
            dict(
              step=step,
              epoch=round(epoch, 3),
              images_per_second=round(progress.speed(step) * batch_size, 1),
              **metrics,
            )
          )
          curves.write(step, metrics)
          _log_epoch(epoch, config.num_epochs, metrics)
          if step in schedule.collapse_steps:
            for record in collapse_records(collapse_pass, state, setup):
              run.logs.append(record, COLLAPSE)
              curves.write(step, _scalars(record))
          run.checkpoints.save(step, state, metrics['val_top1'])
          # Sums of an epoch start anew after they were logged and saved.
          totals = trainer.totals()
      elif timer.due(step, sync) or stop:
        sync()
        with progress.pause(), jax.transfer_guard('allow'):
          run.checkpoints.save(step, state, totals=_on_host(totals))

      if stop:
        _stop(run, step, stop_signal)

  # --- End
  curves.flush()
  run.checkpoints.wait()
  return state, dict(
    num_steps=num_steps,
    num_epochs=config.num_epochs,
    train_seconds=round(time.monotonic() - start_time, 1),
    images_per_second=round(progress.speed(num_steps) * batch_size, 1),
    memory=trainer.memory,
  )


def _on_host(totals: dict) -> dict[str, float]:
  """Sums as exact numbers of Python."""
  return {name: float(value) for name, value in totals.items()}


def _evaluate(evaluator, state, totals, config) -> dict[str, float]:
  """Training metrics from sums of the epoch's steps, and validation metrics."""
  sums = _on_host(totals)
  metrics = dict(
    train_loss=sums['loss'] / sums['count'],
    train_top1=sums['top1'] / sums['count'],
  )
  validation = evaluator.evaluate(state, 'val', config.eval.every_epoch)
  return metrics | {f'val_{name}': value for name, value in validation.items()}


def _log_epoch(epoch: float, num_epochs: int, metrics: dict):
  shown = ('val_top1', 'val_mistake_severity')
  logging.info(
    'epoch %.4g/%d: train loss %.4f, top-1 %.4f; validation %s',
    epoch,
    num_epochs,
    metrics['train_loss'],
    metrics['train_top1'],
    ', '.join(
      f'{name.removeprefix("val_").replace("_", " ")} {metrics[name]:.4f}'
      for name in shown
      if name in metrics
    ),
  )


def _scalars(record: dict) -> dict[str, float]:
  """A record of collapse as named scalars for TensorBoard."""
  prefix = f'{record["split"]}_{record["layer"]}'
  return {
    f'{prefix}_{name}': value
    for name, value in record.items()
    if isinstance(value, float) and name != 'epoch'
  }


def _sync(trainer: Trainer, state, totals, run: Workdir):
  """Waits for the devices; raises DivergedError if the loss has diverged."""
  jax.block_until_ready(state)
  with jax.transfer_guard('allow'):
    step = trainer.diverged_at(totals)
  if step is None:
    return
  saved = run.checkpoints.latest_step()
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


def _asked_to_stop(
  run: Workdir, step: int, stop_signal: preemption.StopSignal
) -> bool:
  """Whether this process, or any of several, was asked to stop."""
  if jax.process_count() == 1:
    return stop_signal.received is not None
  return run.checkpoints.reached_preemption(step)


def _stop(run: Workdir, step: int, stop_signal: preemption.StopSignal):
  """Ends the program when everything is on disk."""
  run.checkpoints.wait()
  logging.info(
    'Stopped by %s: everything up to step %d is saved in %s; the same command '
    'goes on from there.',
    stop_signal.name,
    step,
    run.folder,
  )
  raise preemption.Stopped(stop_signal.exit_status)
