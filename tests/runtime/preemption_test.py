# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run loses when it is stopped, or its files are damaged: nothing."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from hafjax.data import load_dataset
from hafjax.runs.record import CheckpointError
from hafjax.runs.record import describe
from hafjax.runs.record import read_record
from hafjax.runs.workdir import Workdir
from hafjax.runtime import preemption
from hafjax.train.config import identity
from hafjax.train.run import train_and_evaluate
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from tests import helpers

ROOT = pathlib.Path(__file__).resolve().parents[2]
# 45 steps, evaluated every 15.
CONFIG = helpers.tiny_config('nearest_etf', save_minutes=1e-6)


def final_state(folder):
  state, *_ = helpers.restored(CONFIG, folder)
  return jax.tree.map(np.asarray, state)


def curve(folder):
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  records = [json.loads(line) for line in lines]
  # Its time alone differs.
  return [{**record, 'images_per_second': 0} for record in records]


def assert_same_run(folder, other):
  jax.tree.map(
    np.testing.assert_array_equal, final_state(folder), final_state(other)
  )
  assert curve(folder) == curve(other)
  results = [
    json.loads((f / 'results.json').read_text()) for f in (folder, other)
  ]
  assert results[0]['test'] == results[1]['test']


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A run that nothing happened to."""
  folder = tmp_path_factory.mktemp('whole')
  train_and_evaluate(CONFIG, folder)
  return folder


@pytest.fixture(scope='module')
def half_way(tmp_path_factory):
  """A run that was stopped at step 35."""
  folder = tmp_path_factory.mktemp('half_way')
  with helpers.signal_at(35), pytest.raises(preemption.Stopped):
    train_and_evaluate(CONFIG, folder)
  return folder


@pytest.fixture
def stopped(half_way, tmp_path):
  """A copy of it, to be damaged."""
  return pathlib.Path(shutil.copytree(half_way, tmp_path / 'run'))


# --- Signals -----------------------------------------------------------------


@pytest.mark.parametrize(
  'step, number',
  [
    (7, signal.SIGTERM),
    # At an evaluation.
    pytest.param(30, signal.SIGINT, marks=pytest.mark.slow),
  ],
)
def test_a_signal_saves_and_ends(whole, tmp_path, step, number, caplog):
  before = signal.getsignal(number)
  caplog.set_level('INFO')
  with helpers.signal_at(step, number), pytest.raises(SystemExit) as caught:
    train_and_evaluate(CONFIG, tmp_path)
  assert caught.value.code == 128 + number
  assert f'everything up to step {step} is saved' in caplog.text
  assert signal.getsignal(number) == before
  train_and_evaluate(CONFIG, tmp_path)
  assert f'Continuing {tmp_path} at step {step}.' in caplog.text
  assert_same_run(tmp_path, whole)


def test_the_command_ends_without_a_traceback(tmp_path):
  process = subprocess.Popen(
    [
      sys.executable,
      '-m',
      'hafjax.main',
      '--config=configs/quickstart.py',
      f'--workdir={tmp_path}',
      '--config.num_epochs=500',
      '--config.model=mlp',
      '--config.log_seconds=0.5',
    ],
    cwd=ROOT,
    stderr=subprocess.PIPE,
    text=True,
  )
  for line in process.stderr:
    if 'images/s' in line:
      break
  process.send_signal(signal.SIGTERM)
  rest = process.stderr.read()
  assert process.wait() == 143
  assert 'Stopped by SIGTERM: everything up to step' in rest
  assert 'Traceback' not in rest
  assert any((tmp_path / 'checkpoints').iterdir())


# --- Damage ------------------------------------------------------------------


def truncate(folder):
  for file in folder.rglob('*'):
    if file.is_file():
      file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(folder):
  for file in folder.rglob('*'):
    if file.is_file():
      file.write_bytes(b'')


def halve(folder):
  files = sorted(file for file in folder.rglob('*') if file.is_file())
  for file in files[::2]:
    file.unlink()


def without_weights(folder):
  shutil.rmtree(folder / 'default' / 'd')


def without_state(folder):
  shutil.rmtree(folder / 'default')


def scramble(folder):
  for file in (folder / 'default').rglob('*'):
    if file.is_file():
      content = np.frombuffer(file.read_bytes(), np.uint8)
      file.write_bytes((content ^ 0x5A).tobytes())


DAMAGES = (truncate, empty, halve, without_weights, without_state, scramble)


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
  half_way, stopped, damage, caplog
):
  damage(stopped / 'checkpoints' / '35')
  data = load_dataset(CONFIG)
  setup = Setup.create(CONFIG, data)
  abstract = Session(setup).abstract_state
  record = describe(CONFIG, data)
  run = Workdir(stopped, record, identity)
  step, state, totals = run.checkpoints.restore_latest(abstract)
  run.close()
  assert step == 34 and int(state.step) == 34 and totals['count'] == 4 * 16
  assert 'The checkpoint of step 35' in caplog.text
  assert len(list((stopped / 'damaged').iterdir())) == 1
  intact = Workdir(half_way, record, identity, create=False)
  jax.tree.map(
    np.testing.assert_array_equal,
    state,
    intact.checkpoints.restore(34, abstract),
  )
  intact.close()


def test_a_run_goes_on_from_the_checkpoint_before(whole, stopped, caplog):
  truncate(stopped / 'checkpoints' / '35')
  caplog.set_level('INFO')
  train_and_evaluate(CONFIG, stopped)
  assert f'Continuing {stopped} at step 34.' in caplog.text
  assert_same_run(stopped, whole)


def test_if_all_are_damaged_nothing_starts_from_scratch(stopped):
  for folder in (stopped / 'checkpoints').iterdir():
    empty(folder)
  for _ in range(2):
    with pytest.raises(CheckpointError, match='No checkpoint in'):
      train_and_evaluate(CONFIG, stopped)
  assert len(list((stopped / 'damaged').iterdir())) >= 2


def test_a_half_written_line_is_dropped(whole, stopped):
  with open(stopped / 'metrics.jsonl', 'a') as stream:
    stream.write('{"step": 45, "ep')
  train_and_evaluate(CONFIG, stopped)
  assert_same_run(stopped, whole)


# --- Places that cannot be written -------------------------------------------


def test_one_process_at_a_time(stopped):
  (stopped / 'results.json').unlink(missing_ok=True)
  first = Workdir(stopped, read_record(stopped), identity)
  first.claim()
  with pytest.raises(CheckpointError, match='Another process is'):
    train_and_evaluate(CONFIG, stopped)
  first.close()
  train_and_evaluate(CONFIG, stopped)


def test_what_another_process_is_writing_is_left(stopped):
  (stopped / 'results.json').unlink(missing_ok=True)
  record = read_record(stopped)
  first = Workdir(stopped, record, identity)
  writing = stopped / 'checkpoints' / '99.orbax-checkpoint-tmp'
  writing.mkdir()
  Workdir(stopped, record, identity, create=False).close()
  with pytest.raises(CheckpointError, match='Another process is'):
    Workdir(stopped, record, identity)
  time.sleep(0.5)  # Orbax cleans up in a thread.
  assert writing.exists()
  first.close()
  alone = Workdir(stopped, record, identity)
  deadline = time.monotonic() + 30
  while writing.exists() and time.monotonic() < deadline:
    time.sleep(0.05)
  alone.close()
  assert not writing.exists()


@pytest.fixture
def small_disk(tmp_path):
  """A file system of 3 MiB, and what remounts it; only root may."""
  folder = tmp_path / 'disk'
  folder.mkdir()
  mount = ['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', str(folder)]
  if subprocess.run(mount, capture_output=True, check=False).returncode:
    pytest.skip('needs to mount a file system')

  def remount(options):
    subprocess.run(
      ['mount', '-o', f'remount,{options}', str(folder)], check=True
    )

  yield folder, remount
  subprocess.run(['umount', '-l', str(folder)], check=True)


def test_a_full_disk_keeps_what_was_saved(whole, small_disk):
  folder, remount = small_disk
  work = folder / 'run'
  work.mkdir()
  # Room for a checkpoint or two.
  with pytest.raises(CheckpointError) as caught:
    train_and_evaluate(CONFIG, work)
  message = str(caught.value)
  assert 'cannot be written' in message and 'make room' in message
  assert '\n' not in message
  remount('size=64m')
  train_and_evaluate(CONFIG, work)
  assert_same_run(work, whole)


def test_a_workdir_that_cannot_be_written(stopped, small_disk):
  folder, remount = small_disk
  remount('size=64m')
  shutil.copytree(stopped, folder / 'run')
  remount('ro')
  for name in ('run', 'new'):
    with pytest.raises(CheckpointError, match='Read-only'):
      train_and_evaluate(CONFIG, folder / name)
