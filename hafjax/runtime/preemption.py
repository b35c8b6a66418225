# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""When to save besides: at times, and as someone wants the machine back."""

from collections.abc import Callable
import signal
import threading

import jax

from hafjax.runtime import processes
from hafjax.runtime import progress as progress_lib


class Stopped(SystemExit):
  """A run that was asked to stop, and has saved where it was.

  As `SystemExit` it ends a program without a traceback, with the exit status
  that a shell gives to what a signal ended.
  """


class StopSignal:
  """Takes SIGTERM and SIGINT as a wish to stop after the step; a context.

  A second one, of the same kind or the other, does what it always did.

  Attributes:
    received: the signal's number, None so far.
  """

  def __init__(self):
    self.received = None
    self._before = {}

  def __enter__(self):
    # Signals reach the main thread alone; elsewhere nobody may listen. And of
    # several processes JAX itself listens, for all to stop after one step.
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and jax.process_count() == 1:
      for number in (signal.SIGTERM, signal.SIGINT):
        self._before[number] = signal.signal(number, self._receive)
    return self

  def __exit__(self, *exception):
    self._restore()

  def _receive(self, number, frame):
    del frame
    self.received = number
    self._restore()

  def _restore(self):
    while self._before:
      signal.signal(*self._before.popitem())

  @property
  def name(self) -> str:
    """Of the signal."""
    return signal.Signals(self.received or signal.SIGTERM).name

  @property
  def exit_status(self) -> int:
    return 128 + (self.received or signal.SIGTERM)


# Steps that tell how many make up a time.
_TRIAL_STEPS = 20


class SaveTimer:
  """Every so many minutes of training, counted in steps.

  Steps, which all processes agree on where clocks do not.
  """

  def __init__(
    self, start: int, minutes: float, progress: progress_lib.Progress
  ):
    self._seconds, self._progress = 60 * minutes, progress
    self._next, self._first = None, start + _TRIAL_STEPS

  def due(self, step: int, sync: Callable) -> bool:
    """After a step: whether to save; `sync` waits for the devices."""
    if step < (self._next or self._first):
      return False
    sync()
    steps = self._progress.speed(step) * self._seconds
    due = self._next is not None
    self._next = step + processes.agreed(max(round(steps), 1))
    return due
