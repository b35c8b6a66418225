# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run tells while it goes: speed, ETA, and TensorBoard's scalars."""

from collections.abc import Callable
import contextlib
import os
import time

from absl import logging

from hafjax.files.text import describe_error
from hafjax.runtime import processes


def duration(seconds: float) -> str:
  """Seconds as h:mm:ss, or m:ss under an hour."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f'{hours}:{minutes:02d}:{seconds:02d}'
  return f'{minutes}:{seconds:02d}'


class Progress:
  """Logs a line with speed and ETA every so many seconds."""

  def __init__(
    self, start: int, num_steps: int, batch_size: int, every_seconds: float
  ):
    from clu import periodic_actions

    self._start = start
    self._num_steps = num_steps
    self._batch_size = batch_size
    self._paused = 0.0
    self._began = None
    self._action = periodic_actions.PeriodicCallback(
      every_secs=every_seconds,
      on_steps=[num_steps],
      callback_fn=self._tell,
    )

  def __call__(self, step: int, sync):
    """After a step; `sync` waits for the devices before the clock is read."""
    if self._began is None:
      # The first step compiles: the clock starts behind it.
      sync()
      self._began, self._start = time.monotonic(), step
    self._action(step, sync=sync)

  @contextlib.contextmanager
  def pause(self):
    """The clock stands inside, for evaluation."""
    entered = time.monotonic()
    yield
    self._paused += time.monotonic() - entered

  def speed(self, step: int) -> float:
    """Training steps a second since the first, evaluation not counted."""
    if self._began is None or step <= self._start:
      return 0.0
    elapsed = time.monotonic() - self._began - self._paused
    return (step - self._start) / max(elapsed, 1e-9)

  def _tell(self, step: int, t: float, sync):
    del t  # Read before the devices were waited for.
    sync()
    speed = self.speed(step)
    if not speed:
      return
    logging.info(
      'step %d/%d (%.0f%%), %.1f steps/s, %s images/s, ETA %s',
      step,
      self._num_steps,
      100 * step / self._num_steps,
      speed,
      f'{speed * self._batch_size:,.0f}',
      duration((self._num_steps - step) / speed),
    )


class Curves:
  """TensorBoard's curves, by CLU, as far as they can be written.

  The log holds the same figures: a run goes on without curves.
  """

  def __init__(self, folder: str | os.PathLike):
    from clu import metric_writers

    self._folder, self._writer = os.fspath(folder), None

    def start():
      writer = metric_writers.SummaryWriter(self._folder)
      self._writer = metric_writers.AsyncMultiWriter([writer])

    if processes.is_first():
      self._try(start)

  def write(self, step: int, values: dict[str, float]):
    """Adds a point to each curve."""
    if self._writer is not None:
      self._try(lambda: self._writer.write_scalars(step, values))

  def flush(self):
    """Returns when everything is written."""
    if self._writer is not None:
      self._try(self._writer.flush)

  def _try(self, write: Callable):
    try:
      write()
    except Exception as error:  # TensorFlow's own kinds, not imported here.
      self._writer = None
      logging.warning(
        "TensorBoard's curves cannot be written in %s (%s): the run goes on "
        'without; metrics.jsonl has them all.',
        self._folder,
        describe_error(error),
      )


def profiler(folder: str | os.PathLike, first: int, steps: int):
  """A function of steps: JAX's profiler watches some, for TensorBoard.

  Args:
    folder: where `plugins/profile/` comes to be.
    first: step.
    steps: how many; 0 for none.
  """
  from clu import periodic_actions

  if not steps or not processes.is_first():
    return lambda step: None
  return periodic_actions.Profile(
    logdir=folder,
    num_profile_steps=steps,
    profile_duration_ms=None,
    first_profile=first,
    every_secs=None,
  )


def log_parameters(params):
  """Logs names, shapes and sizes of all parameters."""
  from clu import parameter_overview

  parameter_overview.log_parameter_overview(params)
