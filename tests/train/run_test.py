# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loop: it learns, resumes exactly, refuses what does not fit."""

import dataclasses
import json
import math
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import metrics
from hafjax.data import load_dataset
from hafjax.hierarchy import load_hierarchy
from hafjax.models import heads
from hafjax.models import necks
from hafjax.models import network
from hafjax.runs.checkpoints import Checkpoints
from hafjax.runs.record import CheckpointError
from hafjax.runs.record import describe
from hafjax.runs.workdir import Workdir
from hafjax.train import step as step_lib
from hafjax.train.config import identity
from hafjax.train.evaluator import Evaluator
from hafjax.train.loop import DivergedError
from hafjax.train.optimizers import make_optimizer
from hafjax.train.run import train_and_evaluate
from hafjax.train.session import Session
from hafjax.train.setup import Setup
from hafjax.train.state import initial_state
from tests import helpers

ROOT = pathlib.Path(__file__).resolve().parents[2]


def final_state(config, folder):
  """The last saved state of a run."""
  state, *_ = helpers.restored(config, folder)
  return jax.tree.map(np.asarray, state)


def assert_same(tree, other):
  jax.tree.map(np.testing.assert_array_equal, tree, other)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  """One undisturbed run that several tests look at."""
  folder = tmp_path_factory.mktemp('finished')
  config = helpers.tiny_config(profile=2)
  results = train_and_evaluate(config, folder)
  return config, folder, results


def test_a_run_learns_and_leaves_its_results(finished):
  config, folder, results = finished
  saved = json.loads((folder / 'results.json').read_text())
  assert saved == results
  assert saved['method'] == 'haframe' and saved['seed'] == 0
  # Chance is 1 / 30.
  assert saved['test']['top1'] > 0.3
  keys = {'top1', 'top5', 'mistake_severity', 'hier_dist@1', 'hier_dist@20'}
  assert keys <= saved['test'].keys() and keys <= saved['val'].keys()
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  history = [json.loads(line) for line in lines]
  assert len(history) == config.num_epochs
  assert history[-1]['train_loss'] < history[0]['train_loss']
  assert history[-1]['step'] == saved['num_steps'] == 45
  assert list(folder.glob('events*')), 'TensorBoard has nothing to read'
  assert list(folder.glob('plugins/profile/*/*.xplane.pb'))


def test_a_finished_run_is_not_trained_again(finished):
  config, folder, results = finished
  before = sorted((f, f.stat().st_mtime_ns) for f in folder.rglob('*'))
  assert train_and_evaluate(config, folder) == results
  assert sorted((f, f.stat().st_mtime_ns) for f in folder.rglob('*')) == before


def test_eval_mode_measures_the_best_checkpoint(finished):
  config, folder, results = finished
  config = config.copy_and_resolve_references()
  config.mode = 'eval'
  found = train_and_evaluate(config, folder)
  assert found['test'] == results['test']
  assert found['best_step'] == results['best_step']
  history = [
    json.loads(line)
    for line in (folder / 'metrics.jsonl').read_text().splitlines()
  ]
  best = max(history, key=lambda record: record['val_top1'])
  assert best['val_top1'] == results['val']['top1']


def test_eval_mode_without_a_run_or_a_checkpoint(tmp_path, monkeypatch):
  folder = tmp_path / 'misspelt'
  config = helpers.tiny_config(mode='eval')
  with pytest.raises(CheckpointError, match='holds no run'):
    train_and_evaluate(config, folder)
  assert not folder.exists()

  def stop(*args):
    raise KeyboardInterrupt

  monkeypatch.setattr(step_lib.Trainer, '__call__', stop)
  with pytest.raises(KeyboardInterrupt):
    train_and_evaluate(helpers.tiny_config(), folder)
  with pytest.raises(CheckpointError, match='no checkpoint'):
    train_and_evaluate(config, folder)


def test_the_frame_is_saved_but_gets_no_gradient(finished):
  config, folder, _ = finished
  state = final_state(config, folder)
  assert set(state.params) == {'backbone', 'transformation'}
  frame = (30, 30)
  shapes = [x.shape for x in jax.tree.leaves(state.params['backbone'])]
  assert frame not in shapes


@pytest.mark.parametrize(
  'change, words',
  [
    ({'method.gamma': 3.0}, r'method\.gamma \(was 2.0, now 3.0\)'),
    ({'seed': 1}, r'seed \(was 0, now 1\)'),
    ({'hierarchy': 'OTHER'}, r'hierarchy'),
    ({'num_epochs': 4}, 'num_epochs'),
  ],
)
def test_another_run_in_the_same_directory(finished, tmp_path, change, words):
  config, folder, _ = finished
  if 'hierarchy' in change:
    # The same classes under another tree: all directly below the root.
    names = load_hierarchy('quickstart').class_names
    file = tmp_path / 'flat.txt'
    file.write_text('\n'.join(f'root/{name}' for name in names))
    change = {'hierarchy': str(file)}
  other = helpers.tiny_config(**change)
  with pytest.raises(CheckpointError, match=words):
    train_and_evaluate(other, folder)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(finished, tmp_path):
  config, folder, results = finished
  again = train_and_evaluate(config, tmp_path)
  assert again['test'] == results['test']
  assert_same(final_state(config, folder), final_state(config, tmp_path))


def test_a_run_stopped_at_an_evaluation_goes_on_exactly(
  finished, tmp_path, monkeypatch
):
  config, folder, results = finished
  save = Checkpoints.save

  def save_and_stop(self, step, *args):
    save(self, step, *args)
    self.wait()
    raise KeyboardInterrupt

  monkeypatch.setattr(Checkpoints, 'save', save_and_stop)
  for _ in range(2):
    with pytest.raises(KeyboardInterrupt):
      train_and_evaluate(config, tmp_path)
  monkeypatch.undo()
  assert train_and_evaluate(config, tmp_path)['test'] == results['test']
  assert_same(final_state(config, folder), final_state(config, tmp_path))
  lines = (tmp_path / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in lines] == [15, 30, 45]


# The method with the most state: a frame that turns as the run goes.
TURNING = dict(variant='haframe_nearest', **{'method.rotation.every': 7})
SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests import helpers
from hafjax.train.run import train_and_evaluate
# Some steps long: most kills come within an epoch.
config = helpers.tiny_config(num_epochs=12, save_minutes=2e-3, **{turning!r})
train_and_evaluate(config, sys.argv[1])
"""


def start(script, folder, **environment):
  return subprocess.Popen(
    [
      sys.executable,
      '-c',
      script.format(root=str(ROOT), turning=TURNING),
      str(folder),
    ],
    env=os.environ | environment,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )


def latest(folder):
  """The step of the last checkpoint, -1 for none."""
  found = (folder / 'checkpoints').glob('*')
  return max((int(f.name) for f in found if f.name.isdigit()), default=-1)


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_weights(tmp_path):
  config = helpers.tiny_config(num_epochs=12, **TURNING)
  undisturbed, killed = tmp_path / 'undisturbed', tmp_path / 'killed'
  assert start(SCRIPT, undisturbed).wait() == 0
  rng = random.Random(0)
  kills = 0
  for _ in range(4):
    process = start(SCRIPT, killed)
    deadline = time.monotonic() + 120
    # Kill within a second after the first checkpoint that this process wrote.
    last = latest(killed)
    while process.poll() is None and time.monotonic() < deadline:
      if latest(killed) != last:
        break
      time.sleep(0.01)
    time.sleep(rng.random())
    if process.poll() is None:
      process.send_signal(signal.SIGKILL)
      kills += 1
    process.wait()
  assert start(SCRIPT, killed).wait() == 0
  assert kills >= 2, 'the run ended before it could be killed'
  assert_same(final_state(config, undisturbed), final_state(config, killed))
  lines = [
    [
      {k: v for k, v in json.loads(line).items() if k != 'images_per_second'}
      for line in (folder / 'metrics.jsonl').read_text().splitlines()
    ]
    for folder in (undisturbed, killed)
  ]
  assert lines[0] == lines[1]


def test_the_step_is_a_function_of_arrays():
  config = helpers.tiny_config('cross_entropy')
  data = load_dataset(config)
  setup = Setup.create(config, data)
  state = initial_state(setup)
  arrays = data.splits['train'].take(np.arange(0, 240, 15))
  step = jax.jit(lambda s, x, y: step_lib.train_step(s, x, y, setup))
  losses = []
  for _ in range(12):
    state, sums = step(state, arrays.images, jnp.asarray(arrays.labels))
    losses.append(float(sums['loss'] / sums['count']))
  assert losses[-1] < 0.8 * losses[0]
  assert int(state.step) == 12


def test_evaluation_counts_every_example_once():
  config = helpers.tiny_config()
  data = load_dataset(config)
  setup = Setup.create(config, data)
  session = Session(setup)
  evaluator, state = Evaluator(session), session.initial_state()
  split = data.splits['test']
  outputs = setup.network.apply(
    {'params': state.params, **state.variables},
    data.preprocess(jnp.asarray(split.images)),
    train=False,
  )
  expected = metrics.hierarchical_metrics(
    setup.method.scores(outputs), split.labels, data.distances, config.ks
  )
  for batch_size in (64, 90, 7):
    config.eval_batch_size = batch_size
    found = evaluator.evaluate(state, 'test')
    for name, value in expected.items():
      assert found[name] == pytest.approx(value, rel=1e-5), name


def test_learning_rates_by_part():
  config = helpers.tiny_config('cross_entropy')
  config.lr = dict(backbone=0.5, transformation=0.25, classifier=0.125)
  config.weight_decay = 0.0
  optimiser = make_optimizer(config, num_steps=10)
  params = {name: jnp.ones(2) for name in config.lr}
  gradient = {name: jnp.full(2, 2.0) for name in config.lr}
  state = optimiser.init(params)
  updates, state = optimiser.update(gradient, state, params)
  for name, peak in config.lr.items():
    np.testing.assert_allclose(updates[name], -2 * peak)
  for _ in range(10):
    updates, state = optimiser.update(gradient, state, params)
  for name in config.lr:
    np.testing.assert_allclose(updates[name], 0, atol=1e-7)


# --- Parts of a batch --------------------------------------------------------


class Flat(nn.Module):
  """A backbone without statistics of batches."""

  @nn.compact
  def __call__(self, images, train):
    del train
    x = nn.relu(nn.Dense(16)(images.reshape(len(images), -1)))
    return x[:, None, None], {}


@pytest.mark.parametrize('variant', ['cross_entropy', 'nearest_etf'])
def test_parts_of_a_batch_make_the_same_step(variant):
  config = helpers.tiny_config(variant, top='pool')
  data = load_dataset(config)
  setup = Setup.create(config, data)
  head = setup.method.head
  if variant == 'nearest_etf':
    head = heads.Turning(frames.low_dim_frame(frames.etf_similarity(30), 16))
  whole = dataclasses.replace(
    setup, network=network.Network(Flat(), necks.PoolNeck(), head)
  )
  parts = dataclasses.replace(whole, microbatch_size=4)
  arrays = data.splits['train'].take(np.arange(16) * 7)
  found = []
  for made in (whole, parts):
    state = initial_state(made)
    step = jax.jit(
      lambda s, x, y, made=made: step_lib.train_step(s, x, y, made)
    )
    for _ in range(2):
      state, sums = step(state, arrays.images, jnp.asarray(arrays.labels))
    found.append((state, sums))
  chex.assert_trees_all_close(*found, rtol=1e-4, atol=1e-6)


def test_parts_lower_memory():
  config = helpers.tiny_config(batch_size=512, model='convnet')
  needed = []
  for microbatches in (1, 8):
    config.microbatches = microbatches
    data = load_dataset(config)
    setup = Setup.create(config, data)
    state = initial_state(setup)
    images = jax.ShapeDtypeStruct((512, 8, 8, 3), np.uint8)
    labels = jax.ShapeDtypeStruct((512,), np.int32)
    compiled = (
      jax.jit(lambda s, x, y, e=setup: step_lib.train_step(s, x, y, e))
      .lower(state, images, labels)
      .compile()
    )
    needed.append(compiled.memory_analysis().temp_size_in_bytes)
  assert needed[1] < needed[0] / 2


def test_clipped_gradients():
  config = helpers.tiny_config('cross_entropy', clip_norm=0.5)
  config.weight_decay = 0.0
  optimiser = make_optimizer(config, num_steps=10)
  params = {name: jnp.ones(2) for name in config.lr}
  gradient = {name: jnp.full(2, 2.0) for name in config.lr}
  updates, _ = optimiser.update(gradient, optimiser.init(params), params)
  for name, peak in config.lr.items():
    np.testing.assert_allclose(
      updates[name], -peak * 0.5 / math.sqrt(6), rtol=1e-6
    )


# --- Divergence --------------------------------------------------------------


def test_a_loss_that_explodes_stops_the_run(tmp_path):
  config = helpers.tiny_config(
    'deep_linear',
    **{'lr.classifier': 3e4, 'lr.backbone': 3e4, 'num_epochs': 30},
  )
  with pytest.raises(DivergedError, match='clip_norm=1') as caught:
    train_and_evaluate(config, tmp_path)
  assert '\n' not in str(caught.value)
  step = int(re.search(r'from step (\d+) on', str(caught.value)).group(1))
  assert 1 < step < 60
  # Nothing was saved that is not sound.
  run = Workdir(tmp_path, describe(config, load_dataset(config)), identity)
  assert all(saved < step for saved in run.checkpoints.steps())
  run.close()
