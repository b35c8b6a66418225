# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small runs that several test files train."""

import contextlib
import os
import signal

import pytest

from configs import quickstart
from hafjax import checkpoint
from hafjax import data as data_lib
from hafjax import device
from hafjax import experiment as experiment_lib
from hafjax import progress


def tiny_config(variant=None, **overrides):
  """A run of seconds: 8 x 8 images of the quickstart tree, an MLP."""
  config = quickstart.get_config(variant)
  config.synthetic.update(
    image_size=8,
    train_per_class=8,
    val_per_class=3,
    test_per_class=3,
    noise=1.0,
    max_shift=0,
  )
  config.update(
    model='mlp',
    batch_size=16,
    eval_batch_size=64,
    num_epochs=3,
    log_seconds=0.05,
  )
  config.update_from_flattened_dict(overrides)
  return config


def restored(config, folder, best=False):
  """A run's last saved state or its best, with its experiment and data."""
  data = data_lib.load(config)
  experiment = experiment_lib.make_experiment(config, data)
  run = checkpoint.Workdir(folder, checkpoint.describe(config, data))
  step = run.best_step() if best else run.latest_step()
  state = device.Device(data).abstract_state(experiment)
  state = run.restore(step, state)
  run.close()
  return state, experiment, data


@contextlib.contextmanager
def signal_at(wanted, number=signal.SIGTERM):
  """After a step, training sends its own process a signal; a context."""
  call = progress.Progress.__call__

  def told(self, step, sync):
    if step == wanted:
      os.kill(os.getpid(), number)
    call(self, step, sync)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(progress.Progress, '__call__', told)
    yield
