# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frozen features: files in, any method's head out, and a report."""

import json
import pickle
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from configs import features as features_config
from hafjax import evaluate
from hafjax.data import DataError
from hafjax.data import dataset
from hafjax.data import features
from hafjax.data import load_dataset
from hafjax.data import splits as splits_lib
from hafjax.hierarchy import load_hierarchy
from hafjax.report import __main__ as report_command
from hafjax.report.sections import severe
from hafjax.runs import checkpoints
from hafjax.runtime import devices
from hafjax.runtime.devices import Devices
from hafjax.train import step as step_lib
from hafjax.train.config import ConfigError
from hafjax.train.config import check_config
from hafjax.train.run import train_and_evaluate
from hafjax.train.setup import initial_state
from hafjax.train.setup import make_experiment

DIM = 12
TREE = load_hierarchy('quickstart')


def make_arrays(seed=0, train=10, test=3, dtype=np.float32):
  """Features around class means that follow the tree, by split."""
  rng = np.random.default_rng(seed)
  # Not of mean 0 and variance 1.
  nodes = 3 * rng.normal(size=(TREE.num_nodes, DIM))
  means = TREE.ancestor_matrix() @ nodes + 5
  found = {}
  for split, count in dict(train=train, test=test).items():
    labels = rng.permutation(np.repeat(np.arange(30), count))
    noise = rng.normal(size=(len(labels), DIM))
    found[split] = dict(
      features=(means[labels] + noise).astype(dtype), labels=labels
    )
  return found


def write(folder, splits, kind='npz'):
  folder.mkdir(exist_ok=True)
  for split, arrays in splits.items():
    if kind == 'npz':
      np.savez(folder / f'{split}.npz', **arrays)
      continue
    for name, array in arrays.items():
      np.save(folder / f'{split}_{name}.npy', array)
  return str(folder)


def small_config(folder, variant=None, **changes):
  config = features_config.get_config(variant)
  config.data_dir = str(folder)
  config.hierarchy = 'quickstart'
  config.update(
    batch_size=30, num_epochs=6, eval_batch_size=64, log_seconds=0.05
  )
  config.update_from_flattened_dict(changes)
  return config


@pytest.fixture
def folder(tmp_path):
  write(tmp_path / 'data', make_arrays())
  return tmp_path / 'data'


# --- What is read -------------------------------------------------------------


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_both_kinds_of_files_give_the_same(tmp_path, dtype):
  arrays = make_arrays(dtype=dtype)
  loaded = [
    load_dataset(small_config(write(tmp_path / kind, arrays, kind)))
    for kind in ('npz', 'npy')
  ]
  # A tenth of every class validates.
  sizes = {name: len(split) for name, split in loaded[0].splits.items()}
  assert sizes == dict(train=270, val=30, test=90)
  for name, one in loaded[0].splits.items():
    other = loaded[1].splits[name]
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(
      one.batch(slice(None)), other.batch(slice(None))
    )
    assert (
      one.batch([0]).dtype
      == one.dtype
      == np.result_type(dtype if dtype == np.float16 else np.float32)
    )
  np.testing.assert_array_equal(loaded[0].mean, loaded[1].mean)
  assert loaded[0].image_shape == (DIM,)
  for data in loaded:
    batch = next(Devices(data).training_batches(4, 0, 0, 1))
    assert (
      batch[0].shape == (4, DIM)
      and batch[0].dtype == data.splits['train'].dtype
    )
  test = loaded[1].splits['test']
  np.testing.assert_array_equal(test.images, arrays['test']['features'])
  np.testing.assert_array_equal(test.labels, arrays['test']['labels'])


def test_features_of_files_stay_on_disk(tmp_path):
  """What is held out of a memory map does not read it."""
  data = load_dataset(
    small_config(write(tmp_path / 'data', make_arrays(), 'npy'))
  )
  assert isinstance(data.splits['test'].images, np.memmap)
  train_split = data.splits['train']
  assert isinstance(train_split.images, splits_lib.Rows)
  again = train_split.take(np.arange(200)).take(np.arange(5, 100))
  assert isinstance(again.images, splits_lib.Rows)
  np.testing.assert_array_equal(again.batch([0, 3]), train_split.batch([5, 8]))


def test_other_processes_open_files_themselves(tmp_path):
  folder = write(tmp_path / 'd', make_arrays(train=1000), 'npy')
  for split in (
    features.read(folder, TREE)['train'],
    dataset.load_dataset(small_config(folder)).splits['train'],
  ):
    content = pickle.dumps(split)
    # Labels and places of rows, no features.
    assert len(content) < 16 * len(split)
    rows = np.arange(0, len(split), 7)
    np.testing.assert_array_equal(
      pickle.loads(content).batch(rows), split.batch(rows)
    )


def test_bytes_in_another_order(tmp_path):
  arrays = make_arrays()
  native = features.read(write(tmp_path / 'a', arrays), TREE)['train']
  for split in arrays.values():
    split['features'] = split['features'].astype('>f4')
    split['labels'] = split['labels'].astype('>i8')
  found = features.read(write(tmp_path / 'b', arrays), TREE)['train']
  batch = jnp.asarray(found.batch(np.arange(9)))
  np.testing.assert_array_equal(batch, native.batch(np.arange(9)))
  np.testing.assert_array_equal(jnp.asarray(found.labels), native.labels)


def test_names_and_other_orders_of_classes(tmp_path):
  arrays = make_arrays()
  expected = load_dataset(small_config(write(tmp_path / 'a', arrays)))
  names = np.array(TREE.class_names)
  for split in arrays.values():
    split['labels'] = names[split['labels']]
  by_name = load_dataset(small_config(write(tmp_path / 'b', arrays)))
  alphabet = np.sort(names)
  for split in arrays.values():
    split['labels'] = np.searchsorted(alphabet, split['labels'])
  arrays['train']['class_names'] = alphabet
  sorted_names = load_dataset(small_config(write(tmp_path / 'c', arrays)))
  del arrays['train']['class_names']
  folder = write(tmp_path / 'd', arrays, 'npy')
  np.save(tmp_path / 'd' / 'class_names.npy', alphabet)
  in_a_file = load_dataset(small_config(folder))
  for found in (by_name, sorted_names, in_a_file):
    for split in ('train', 'val', 'test'):
      np.testing.assert_array_equal(
        found.splits[split].labels, expected.splits[split].labels
      )


def test_statistics_are_those_of_the_training_split(tmp_path, monkeypatch):
  monkeypatch.setattr(features, '_ROWS', 70)
  arrays = make_arrays()
  arrays['train']['features'][:, 3] = 0.25
  data = load_dataset(small_config(write(tmp_path / 'data', arrays)))
  rows = data.splits['train'].batch(slice(None))
  standard = np.asarray(data.preprocess(jnp.asarray(rows)), np.float64)
  np.testing.assert_allclose(standard.mean(0), 0, atol=1e-5)
  # A dimension that does not vary is not blown up.
  expected = np.where(np.arange(DIM) == 3, 0, 1)
  np.testing.assert_allclose(standard.std(0), expected, atol=1e-5)
  # Of the test split, by the same numbers.
  rows = data.splits['test'].batch(slice(None))
  np.testing.assert_allclose(
    data.preprocess(jnp.asarray(rows)), (rows - data.mean) / data.std, rtol=1e-5
  )
  config = small_config(tmp_path / 'data', **{'features.standardise': False})
  raw = load_dataset(config).preprocess(jnp.asarray(rows))
  np.testing.assert_array_equal(raw, rows)


def test_large_splits_come_from_the_host(folder, monkeypatch):
  """Batches are the same, wherever they are gathered."""
  data = load_dataset(small_config(folder))
  device = Devices(data)
  kept = list(device.training_batches(20, 1, 4, 15))
  kept_test = list(device.batches('test', 40))
  monkeypatch.setattr(devices, 'RESIDENT_BYTES', 100)

  def fail(*args):
    raise AssertionError('a large split went to the devices')

  monkeypatch.setattr(Devices, 'source', fail)
  device = Devices(data)
  streamed = list(device.training_batches(20, 1, 4, 15))
  order = dataset.training_order(270, 20, 1)
  for step, (one, other) in enumerate(zip(kept, streamed, strict=True), 4):
    jax.tree.map(np.testing.assert_array_equal, one, other)
    np.testing.assert_array_equal(
      one[1], data.splits['train'].labels[order[step]]
    )
  for one, other in zip(kept_test, device.batches('test', 40), strict=True):
    jax.tree.map(np.testing.assert_array_equal, one, other)


# --- What is trained ----------------------------------------------------------


@pytest.mark.slow
def test_a_head_trains_is_measured_and_reported(folder, tmp_path):
  run = tmp_path / 'run'
  config = small_config(folder, **{'collapse.every': 3})
  results = train_and_evaluate(config, run)
  # Chance is 1 / 30.
  assert results['test']['top1'] > 0.5
  lines = (run / 'collapse.jsonl').read_text().splitlines()
  assert len(lines) == 2
  assert all('nc1' in json.loads(line) for line in lines)
  with np.load(run / 'predictions.npz') as arrays:
    assert 'severe' in arrays and 'severe_images' not in arrays
    wrong = (arrays['labels'] != arrays['predictions']).sum()
  report_command.main(report_command.parse([str(run)]))
  page = next(run.rglob('*.html')).read_text()
  part = page.split('<section id="severe">')[1].split('</section>')[0]
  # Paths of the worst mistakes, without pictures.
  assert part.count('<figure class="tile">') == min(severe.NUM_TILES, wrong) > 0
  assert '<img' not in part and 'predicted:' in part
  # Measured again from the files.
  again = evaluate.evaluate_run(run, data_dir=str(folder))
  assert again['test']['top1'] == results['test']['top1']


@pytest.mark.parametrize('variant', common.VARIANTS)
def test_every_method_trains_on_features(folder, variant):
  config = small_config(folder, variant)
  check_config(config)
  data = load_dataset(config)
  experiment = make_experiment(config, data)
  state, sums = jax.eval_shape(
    lambda: step_lib.train_step(
      initial_state(experiment, data.image_shape),
      data.splits['train'].batch(np.arange(30)),
      jnp.asarray(data.splits['train'].labels[:30]),
      experiment,
    )
  )
  assert sums['loss'].shape == () and 'backbone' not in state.params


# --- What is refused ----------------------------------------------------------


def changed(split, name, change):
  def damage(folder):
    arrays = make_arrays()
    arrays[split][name] = change(arrays[split][name])
    write(folder, arrays)

  return damage


def without(split, name):
  def damage(folder):
    arrays = make_arrays()
    del arrays[split][name]
    write(folder, arrays)

  return damage


def with_nan(array):
  array[17, 2] = np.nan
  return array


def with_label(value):
  return lambda labels: np.where(np.arange(len(labels)) == 7, value, labels)


def overwrite(name, content):
  return lambda folder: (folder / name).write_bytes(content)


def pickled(folder):
  arrays = make_arrays()['train']
  labels = arrays['labels'].astype(object)
  np.savez(folder / 'train.npz', features=arrays['features'], labels=labels)


def half_of_a_pair(folder):
  (folder / 'test.npz').unlink()
  np.save(folder / 'test_features.npy', np.zeros((3, DIM), np.float32))


BAD = {
  'no test split': (
    lambda folder: (folder / 'test.npz').unlink(),
    'has no test split: it needs test.npz',
  ),
  'no labels': (without('train', 'labels'), "train.npz has no array 'labels'"),
  'features without labels': (half_of_a_pair, 'test_labels.npy is missing'),
  'not NumPy': (overwrite('train.npz', b'text'), 'train.npz cannot be read'),
  'truncated': (
    lambda folder: overwrite(
      'train.npz', (folder / 'train.npz').read_bytes()[:500]
    )(folder),
    'train.npz cannot be read',
  ),
  'pickles': (pickled, 'cannot be read as plain NumPy arrays'),
  'NaN': (changed('train', 'features', with_nan), 'not all finite, .* row 17'),
  'too large for single precision': (
    changed('test', 'features', lambda x: x.astype(float) * 1e300),
    r'test.npz: features are not all finite, first \(as float32\) in row 0',
  ),
  'an array by the name of an archive': (
    lambda folder: np.save(open(folder / 'test.npz', 'wb'), np.zeros(3)),
    'test.npz cannot be read as plain NumPy arrays: .* no .npz file',
  ),
  'classes in another order': (
    lambda folder: write(
      folder,
      {
        split: dict(arrays, class_names=np.array(TREE.class_names)[::order])
        for order, (split, arrays) in zip(
          (1, -1), make_arrays().items(), strict=True
        )
      },
    ),
    'test.npz: class_names must be those of the train split',
  ),
  'one example of each class': (
    lambda folder: write(folder, make_arrays(train=1)),
    'Nothing is left to validate on',
  ),
  'integers': (
    changed('test', 'features', lambda x: x.astype(int)),
    'test.npz: features must be floating-point numbers',
  ),
  'maps': (
    changed('test', 'features', lambda x: x[:, None]),
    r'got float32 of shape \[90, 1, 12\]',
  ),
  'too few labels': (
    changed('train', 'labels', lambda x: x[:-1]),
    r'a label for each of the 300 rows of features, got .* \[299\]',
  ),
  'a label too high': (
    changed('train', 'labels', with_label(30)),
    r'labels must be in 0..29, .* got 30 in row 7',
  ),
  'a negative label': (
    changed('test', 'labels', with_label(-1)),
    r'test.npz: labels must be in 0..29, .* got -1 in row 7',
  ),
  'labels of another type': (
    changed('train', 'labels', lambda x: x.astype(float)),
    'labels must be integers or names, got float64',
  ),
  'unknown names': (
    changed('test', 'labels', lambda x: np.full(len(x), 'unicorn')),
    "labels are no classes of the hierarchy: 'unicorn'",
  ),
  'other widths': (
    changed('test', 'features', lambda x: x[:, 1:]),
    'as wide in every split, got 12 in train, 11 in test',
  ),
  'nothing': (
    lambda folder: write(
      folder,
      dict(test=dict(features=np.zeros((0, DIM)), labels=np.zeros(0, int))),
    ),
    'test.npz holds no features',
  ),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_features_are_told_before_training(case, folder, tmp_path):
  damage, message = BAD[case]
  damage(folder)
  with pytest.raises(DataError, match=message) as caught:
    train_and_evaluate(small_config(folder), tmp_path / 'run')
  assert '\n' not in str(caught.value)
  assert not (tmp_path / 'run').exists()


def test_models_of_images_are_refused(folder, tmp_path):
  with pytest.raises(ConfigError, match="'identity', 'mlp' for fea"):
    train_and_evaluate(small_config(folder, model='wrn_10_1'), tmp_path)


def test_without_a_folder():
  with pytest.raises(DataError, match='--config.data_dir'):
    load_dataset(small_config(''))


@pytest.mark.parametrize('share, held', [(0.1, 1), (0.34, 3), (0.99, 9)])
def test_shares_of_every_class_are_held_out(share, held):
  labels = np.repeat(np.arange(5), 10)
  split = splits_lib.Arrays(np.arange(50.0)[:, None], np.append(labels[:-1], 9))
  kept, val = splits_lib.hold_out_share(split, share, seed=3)
  counts = np.bincount(val.labels, minlength=10)
  np.testing.assert_array_equal(counts[:4], held)
  # A class of one example trains.
  assert counts[9] == 0 and 9 in kept.labels
  everything = np.sort(np.concatenate([kept.images, val.images])[:, 0])
  np.testing.assert_array_equal(everything, np.arange(50))
  other = splits_lib.hold_out_share(split, share, seed=4)[1]
  assert not np.array_equal(val.images, other.images)


def test_other_features_are_another_run(folder, tmp_path):
  config = small_config(folder, num_epochs=1)
  record = checkpoints.describe(config, load_dataset(config))
  other = tmp_path / 'other'
  shutil.copytree(folder, other)
  with np.load(other / 'train.npz') as arrays:
    changed = dict(arrays)
  changed['features'] = changed['features'][:, ::-1]
  np.savez(other / 'train.npz', **changed)
  checkpoints.Workdir(tmp_path / 'run', record).close()
  for place, same in ((folder, True), (other, False)):
    config.data_dir = str(place)
    found = checkpoints.describe(config, load_dataset(config))
    if same:
      checkpoints.Workdir(tmp_path / 'run', found).close()
      continue
    with pytest.raises(checkpoints.CheckpointError, match='in training_data'):
      checkpoints.Workdir(tmp_path / 'run', found)
