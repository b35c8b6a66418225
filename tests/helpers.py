# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small runs that several test files train."""

import contextlib
import os
import signal

import chex
import jax
import numpy as np
import pytest

from configs import quickstart
from hafjax.data import load_dataset
from hafjax.data.feed import DeviceFeed
from hafjax.files import jsonl
from hafjax.runs.record import describe
from hafjax.runs.workdir import Workdir
from hafjax.runtime import progress
from hafjax.runtime.devices import Devices
from hafjax.train.config import identity
from hafjax.train.session import Session
from hafjax.train.setup import Setup


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


def environment(num_devices):
  """Of a process that has so many devices of the CPU."""
  flags = os.environ.get('XLA_FLAGS', '')
  flags += f' --xla_force_host_platform_device_count={num_devices}'
  return os.environ | dict(XLA_FLAGS=flags, JAX_PLATFORMS='cpu')


def feed_of(data, devices=None):
  """Batches of data on devices; by default on all of them."""
  return DeviceFeed(data, devices or Devices.create())


def restored(config, folder, best=False):
  """A run's last saved state or its best, with its setup and data."""
  data = load_dataset(config)
  setup = Setup.create(config, data)
  run = Workdir(folder, describe(config, data), identity)
  step = run.checkpoints.best_step() if best else run.checkpoints.latest_step()
  state = Session(setup).abstract_state
  state = run.checkpoints.restore(step, state)
  run.close()
  return state, setup, data


def assert_close_runs(config, folder, other):
  """Two runs of a config have the same curves and weights, to rounding."""
  for name in ('metrics.jsonl', 'collapse.jsonl'):
    curves = [jsonl.read_lines(f / name) for f in (folder, other)]
    for records in zip(*curves, strict=True):
      assert records[0].keys() == records[1].keys()
      for key in records[0].keys() - {'images_per_second'}:
        one, two = (record[key] for record in records)
        if not isinstance(one, str):
          two = pytest.approx(two, rel=1e-3, abs=1e-3)
        assert one == two, key
  states = [
    jax.tree.map(np.asarray, restored(config, f)[0]) for f in (folder, other)
  ]
  chex.assert_trees_all_close(*states, rtol=1e-3, atol=1e-3)


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
