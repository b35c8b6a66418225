# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two processes of two devices each: what one process would have done."""

import pathlib
import socket
import subprocess
import sys

import pytest

from hafjax.runtime import preemption
from hafjax.runtime import processes
from hafjax.train.run import train_and_evaluate
from tests import helpers

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The test's and the processes' own, as flags.
OVERRIDES = {
  'num_epochs': 2,
  'batch_size': 32,
  'model': 'mlp',
  'eval_batch_size': 64,
  'collapse.every': 1,
}


def config():
  return helpers.tiny_config('nearest_etf', log_seconds=10.0, **OVERRIDES)


def in_two_processes(folder, **extra):
  """Trains, or goes on, in two processes that meet at a free port."""
  with socket.socket() as probe:
    probe.bind(('localhost', 0))
    port = probe.getsockname()[1]
  synthetic = config().synthetic.items()
  fields = OVERRIDES | extra | {f'synthetic.{k}': v for k, v in synthetic}
  command = [
    sys.executable,
    '-m',
    'hafjax.main',
    '--config=configs/quickstart.py:nearest_etf',
    f'--workdir={folder}',
    f'--coordinator=localhost:{port}',
    '--num_processes=2',
    *(f'--config.{name}={value}' for name, value in fields.items()),
  ]
  running = [
    subprocess.Popen(
      [*command, f'--process_id={number}'],
      cwd=ROOT,
      env=helpers.environment(2),
      stderr=subprocess.PIPE,
      text=True,
    )
    for number in range(2)
  ]
  told = [process.communicate(timeout=500)[1] for process in running]
  assert [process.returncode for process in running] == [0, 0], told
  # One voice is enough.
  assert 'epoch 2/2' in told[0] and 'epoch' not in told[1]


@pytest.mark.slow
def test_two_processes_do_what_one_does(tmp_path):
  one, two, both = (tmp_path / name for name in ('one', 'two', 'both'))
  train_and_evaluate(config(), one)
  in_two_processes(two)
  helpers.assert_close_runs(config(), one, two)

  # Begun by one process, stopped within an epoch, ended by two, each with half
  # of the classes on each of its devices.
  with helpers.signal_at(11), pytest.raises(preemption.Stopped):
    train_and_evaluate(config(), both)
  in_two_processes(both, **{'mesh.model': 2})
  helpers.assert_close_runs(config(), one, both)


@pytest.mark.parametrize('count, number', [(None, 0), (2, -1), (2, 2)])
def test_a_coordinator_needs_numbers(count, number):
  with pytest.raises(processes.ProcessesError, match='--num_processes must'):
    processes.join('localhost:1', count, number)
