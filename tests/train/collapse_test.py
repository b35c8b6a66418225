# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Collapse and predictions of whole splits, in training and afterwards."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import collapse
from hafjax import evaluate
from hafjax import metrics
from hafjax.runs import checkpoints
from hafjax.runtime.devices import Devices
from hafjax.train.collapse import CollapsePass
from hafjax.train.collapse import LayerError
from hafjax.train.config import ConfigError
from hafjax.train.forward import outputs_of
from hafjax.train.predictions import NUM_SEVERE
from hafjax.train.run import recorded_config
from hafjax.train.run import train_and_evaluate
from tests import helpers

LAYERS = ('features', 'level1')


def watched(variant, **overrides):
  """A config whose collapse is measured after epochs 2 and 3."""
  return helpers.tiny_config(
    variant,
    **{'collapse.every': 2, 'collapse.layers': LAYERS, **overrides},
  )


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A HAFrame run; its state, experiment and data."""
  folder = tmp_path_factory.mktemp('haframe')
  train_and_evaluate(watched('haframe'), folder)
  return folder, *helpers.restored(watched('haframe'), folder)


def records(folder):
  lines = (folder / 'collapse.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def outputs(state, experiment, images):
  return outputs_of(state, jnp.asarray(images), experiment)


def test_training_measures_collapse_as_it_is_defined(run):
  folder, state, experiment, data = run
  found = records(folder)
  assert [(r['step'], r['layer']) for r in found] == [
    (step, layer) for step in (30, 45) for layer in LAYERS
  ]
  last = found[2]
  assert last['split'] == 'train' and last['epoch'] == pytest.approx(3, abs=0.1)

  arrays = data.splits['train']
  out = outputs(state, experiment, arrays.images)
  features = np.asarray(out['features'], np.float64)
  frame = np.asarray(out['frame'].vectors, np.float64)
  means = np.stack([features[arrays.labels == c].mean(0) for c in range(30)])
  centred = means - features.mean(0)
  rest = features - means[arrays.labels]
  between = centred.T @ centred / 30
  within = rest.T @ rest / len(rest)
  assert last['nc1_quotient'] == pytest.approx(
    np.trace(within) / np.trace(between), rel=1e-4
  )
  assert last['nc1'] == pytest.approx(
    np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / 30, rel=1e-3
  )
  duality = centred / np.linalg.norm(centred) - frame / np.linalg.norm(frame)
  assert last['self_duality'] == pytest.approx(np.sum(duality**2), rel=1e-4)
  unit = means / np.linalg.norm(means, axis=1, keepdims=True)
  gap = np.triu(unit @ unit.T - frame @ frame.T, 1)
  assert last['raw_deviation_mean'] == pytest.approx(
    np.abs(gap).sum() / (30 * 29 / 2), rel=1e-4
  )
  assert last['classifier_deviation_mean'] < 1e-6
  nearest = np.linalg.norm(features[:, None] - means, axis=2).argmin(1)
  scores = np.asarray(experiment.method.scores(out))
  assert last['nc4'] == pytest.approx(np.mean(nearest == scores.argmax(1)))
  norms = np.linalg.norm(out['intermediates']['level1'], axis=1)
  assert found[3]['feature_norm_mean'] == pytest.approx(norms.mean(), rel=1e-5)
  assert 'self_duality' not in found[3]


def test_predictions_are_those_of_the_best_checkpoint(run):
  folder, _, experiment, data = run
  state, *_ = helpers.restored(watched('haframe'), folder, best=True)
  with np.load(folder / 'predictions.npz') as arrays:
    found = dict(arrays)
  split = data.splits['test']
  out = outputs(state, experiment, split.images)
  probs = np.asarray(jax.nn.softmax(experiment.method.scores(out)))
  np.testing.assert_array_equal(found['labels'], split.labels)
  np.testing.assert_array_equal(found['predictions'], probs.argmax(1))
  np.testing.assert_allclose(found['confidences'], probs.max(1), rtol=1e-5)
  results = json.loads((folder / 'results.json').read_text())
  right = found['predictions'] == found['labels']
  assert results['test']['top1'] == pytest.approx(right.mean())
  stats = collapse.ClassStatistics.of(out['features'], split.labels, 30)
  np.testing.assert_allclose(found['class_means'], stats.means, atol=1e-4)
  np.testing.assert_array_equal(found['frame'], out['frame'].vectors)

  # The worst first; every one a mistake, and none worse is left out.
  severe = found['severe']
  distances = data.distances[found['labels'], found['predictions']]
  assert len(severe) == min(NUM_SEVERE, (~right).sum())
  assert (np.diff(distances[severe]) <= 0).all() and not right[severe].any()
  rest = np.setdiff1d(np.arange(len(right)), severe)
  assert distances[severe].min() >= distances[rest].max()
  np.testing.assert_array_equal(found['severe_images'], split.images[severe])


def test_results_have_every_metric(run):
  folder, state, experiment, data = run
  results = json.loads((folder / 'results.json').read_text())
  state, *_ = helpers.restored(watched('haframe'), folder, best=True)
  split = data.splits['test']
  scores = experiment.method.scores(outputs(state, experiment, split.images))
  wanted = metrics.evaluate(
    np.asarray(scores), split.labels, data.hierarchy, data.distances
  )
  found = {name: results['test'][name] for name in wanted}
  assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_learned_classifiers_are_measured_too(tmp_path):
  config = watched(
    'cross_entropy', model='convnet', **{'collapse.splits': ('train', 'test')}
  )
  train_and_evaluate(config, tmp_path)
  found = records(tmp_path)
  assert len(found) == 8
  state, experiment, data = helpers.restored(config, tmp_path)
  dense = state.params['classifier']['dense']
  rows = np.asarray(dense['kernel'], np.float64).T
  unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
  gap = (unit @ unit.T + 1 / 29)[np.triu_indices(30, 1)]
  last = [r for r in found if r['layer'] == 'features' and r['step'] == 45]
  for record in last:
    assert record['classifier_deviation_std'] == pytest.approx(
      gap.std(), rel=1e-4
    )
    assert 'nc2_frame' not in record
  out = outputs(state, experiment, data.splits['test'].images)
  mean = np.asarray(out['features'], np.float64).mean(0)
  assert last[1]['split'] == 'test'
  assert last[1]['bias_relation'] == pytest.approx(
    np.linalg.norm(rows @ mean + np.asarray(dense['bias'])), rel=1e-4
  )
  # Of a feature map, the means over positions.
  maps = np.asarray(out['intermediates']['level1'], np.float64).mean((1, 2))
  norms = np.linalg.norm(maps, axis=1)
  assert found[-1]['feature_norm_mean'] == pytest.approx(norms.mean(), rel=1e-4)


def test_a_finished_run_is_measured_again(run, tmp_path):
  folder, *_ = run
  before = json.loads((folder / 'results.json').read_text())
  (folder / 'predictions.npz').unlink()
  found = records(folder)
  after = evaluate.evaluate_run(folder, layers=LAYERS)
  for split in ('val', 'test'):
    for name, value in before[split].items():
      assert after[split][name] == pytest.approx(value, rel=1e-5), name
  assert (folder / 'predictions.npz').exists()
  # Only the latest and the best state are kept; no record is there twice.
  again = records(folder)
  keys = [(r['step'], r['layer']) for r in again]
  assert len(set(keys)) == len(keys)
  last, old = again[-2], found[-2]
  assert last['step'] == old['step'] and last['nc1'] == pytest.approx(
    old['nc1'], rel=1e-4
  )


def test_eight_devices_find_what_one_does(run):
  """`collapse` of the same state, sharded eight ways and not at all."""
  folder, state, experiment, data = run
  script = f"""
import json, pathlib
from hafjax.runtime.devices import Devices
from hafjax.train.collapse import CollapsePass
from tests import helpers
state, experiment, data = helpers.restored(
  helpers.tiny_config('haframe'), pathlib.Path({str(folder)!r}))
found = CollapsePass(experiment, data, Devices(data), 64).collapse(
  state, 'train')
print(json.dumps(found))
"""
  done = subprocess.run(
    [sys.executable, '-c', script],
    env=helpers.environment(8),
    capture_output=True,
    text=True,
    check=True,
  )
  (eight,) = json.loads(done.stdout.splitlines()[-1])
  device = Devices(data)
  (one,) = CollapsePass(experiment, data, device, 64).collapse(state, 'train')
  for name, value in one.items():
    if isinstance(value, float):
      assert eight[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name


def test_classes_without_examples(run):
  _, state, experiment, data = run
  device = Devices(data)
  measures = CollapsePass(experiment, data, device, 64)
  stats = measures.statistics(state, 'test')['features']
  counts = np.where(np.arange(30) < 28, stats.counts, 0)
  found = collapse.summary(stats.replace(counts=counts))
  assert found and np.isfinite(list(found.values())).all()
  assert collapse.summary(stats.replace(counts=0 * counts)) == {}


def test_what_is_not_finite_is_left_out():
  stats = collapse.ClassStatistics.create(3, 2).update(
    np.float32([[1, 0], [1, 0], [0, 1], [0, 1]]), np.array([0, 1, 2, 2])
  )
  found = collapse.summary(stats.astype(np.float64))
  assert np.isfinite(list(found.values())).all()
  assert 'nc1_cdnv' not in found and found['nc1'] == 0


def test_checkpoints_stay_where_asked_for(tmp_path):
  config = helpers.tiny_config('haframe', keep_every=1, ks=(1, 2))
  train_and_evaluate(config, tmp_path)
  evaluate.evaluate_run(tmp_path)
  assert [r['step'] for r in records(tmp_path)] == [15, 30, 45]
  # Ranks that the run was to report stay.
  results = json.loads((tmp_path / 'results.json').read_text())
  assert {'hops@2', 'hops@10'} <= results['test'].keys()


def test_damaged_logs_and_old_runs_are_told(run, tmp_path):
  folder, _, experiment, data = run
  file = folder / 'metrics.jsonl'
  content = file.read_text()
  try:
    file.write_text(content.replace('{"step": 30', '{"st'))
    workdir = checkpoints.Workdir(
      folder, checkpoints.describe(watched('haframe'), data)
    )
    with pytest.raises(checkpoints.CheckpointError, match='line 2 is damaged'):
      workdir.rewind_log(45)
    workdir.close()
  finally:
    file.write_text(content)
  record = json.loads((folder / 'run.json').read_text())
  del record['config']['hierarchy']
  (tmp_path / 'run.json').write_text(json.dumps(record))
  with pytest.raises(checkpoints.CheckpointError, match='an older version'):
    recorded_config(tmp_path)


def test_bad_settings_are_told_before_training(tmp_path):
  for overrides, words in (
    ({'collapse.layers': ('features', 'level9')}, "no layer 'level9'"),
    ({'collapse.splits': ('holdout',)}, "'train', 'val' and 'test'"),
    ({'collapse.every': -1}, 'collapse.every'),
    ({'eval_every': 2, 'collapse.every': 3}, 'a multiple of eval_every'),
    ({'eval_every': 2, 'keep_every': 3}, 'a multiple of eval_every'),
  ):
    config = watched('haframe', **overrides)
    with pytest.raises((LayerError, ConfigError), match=words):
      train_and_evaluate(config, tmp_path / 'none')
  assert not (tmp_path / 'none').exists()


def test_no_run_no_measures(tmp_path):
  with pytest.raises(evaluate.EvaluationError, match='results.json is missing'):
    evaluate.runs_in([tmp_path])
  with pytest.raises(checkpoints.CheckpointError, match='holds no run'):
    evaluate.evaluate_run(tmp_path)


# --- Scores of anyone --------------------------------------------------------


@pytest.fixture
def scores_file(tmp_path):
  def write(**arrays):
    file = tmp_path / 'scores.npz'
    np.savez(file, **arrays)
    return str(file)

  return write


def test_scores_of_any_framework(scores_file, capsys):
  rng = np.random.default_rng(0)
  logits, labels = rng.standard_normal((50, 10)), rng.integers(0, 10, 50)
  probs = np.asarray(jax.nn.softmax(logits))
  found = [
    evaluate.evaluate_scores(
      scores_file(scores=scores, labels=labels), 'fashion_mnist'
    )
    for scores in (logits, probs)
  ]
  assert found[0] == pytest.approx(found[1], rel=1e-4)
  assert found[0]['ece'] == pytest.approx(
    metrics.calibration_error(probs, labels)[0], rel=1e-4
  )


@pytest.mark.parametrize(
  'arrays, words',
  [
    (dict(logits=np.eye(10)), "no array 'scores'"),
    (dict(scores=np.eye(9), labels=np.arange(9)), 'each of the 10 classes'),
    (dict(scores=np.eye(10), labels=np.arange(9)), 'a row for each label'),
    (dict(scores=np.eye(10), labels=np.arange(10) / 2), 'must be integers'),
    (dict(scores=np.eye(10), labels=np.arange(10) + 1), 'from 0 to 9'),
    (dict(scores=np.full((2, 10), np.nan), labels=[0, 1]), 'not finite'),
    (dict(scores=np.zeros((0, 10)), labels=np.zeros(0, int)), 'no examples'),
  ],
)
def test_bad_scores_are_told(scores_file, arrays, words):
  with pytest.raises(evaluate.EvaluationError, match=words):
    evaluate.evaluate_scores(scores_file(**arrays), 'fashion_mnist')


def test_files_that_are_none(tmp_path):
  file = tmp_path / 'scores.npz'
  for content in (None, b'nothing', b'PK\x03\x04 broken'):
    if content is not None:
      file.write_bytes(content)
    with pytest.raises(evaluate.EvaluationError, match='cannot be read'):
      evaluate.evaluate_scores(str(file), 'fashion_mnist')


def test_the_command_prints_the_table(scores_file, tmp_path):
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 10, 50)
  file = scores_file(scores=rng.standard_normal((50, 10)), labels=labels)
  output = tmp_path / 'found.json'

  def command(*args):
    return subprocess.run(
      [sys.executable, '-m', 'hafjax.evaluate', *args],
      capture_output=True,
      text=True,
      env=dict(os.environ, JAX_PLATFORMS='cpu'),
    )

  done = command(
    f'--scores={file}', '--hierarchy=fashion_mnist', f'--output={output}'
  )
  assert done.returncode == 0
  found = json.loads(output.read_text())
  rows = [line.split() for line in done.stdout.splitlines()]
  printed = {row[1]: row[3] for row in rows if len(row) == 5}
  for name, value in found.items():
    assert printed[name] == f'{value:.4f}'
  wrong = command(f'--scores={file}')
  assert wrong.returncode == 1 and 'Traceback' not in wrong.stderr
  assert '--scores needs --hierarchy: a built-in name' in wrong.stderr
