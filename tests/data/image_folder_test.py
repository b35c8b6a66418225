# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of images: what is read, what is refused, and how training goes."""

import errno
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest

from configs import image_folder
from hafjax.data import Arrays
from hafjax.data import DataError
from hafjax.data import augment
from hafjax.data import decode
from hafjax.data import load_dataset
from hafjax.data import open_dataset
from hafjax.data import sampling
from hafjax.data.decode import ImageDecoder
from hafjax.hierarchy import load_hierarchy
from hafjax.runs.checkpoints import Checkpoints
from hafjax.train.run import train_and_evaluate
from tests import helpers
from tests import image_helpers

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ('ant', 'bee', 'cat', 'dog', 'elk', 'fox')


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """Six classes, eight training images and two test images of each."""
  root = tmp_path_factory.mktemp('folder')
  image_helpers.write_folder(root / 'data', NAMES, dict(train=8, test=2))
  image_helpers.write_tree(root / 'tree.txt', NAMES)
  return root


def folder_config(root, cache, variant=None, **changes):
  config = image_folder.get_config(variant)
  config.data_dir = str(root / 'data')
  config.hierarchy = str(root / 'tree.txt')
  config.update(
    image_size=16,
    model='mlp',
    batch_size=12,
    eval_batch_size=12,
    num_epochs=3,
    log_seconds=0.05,
  )
  config.input.cache_dir = str(cache)
  config.update_from_flattened_dict(changes)
  return config


@pytest.fixture
def copied(tmp_path):
  """A folder that a test may damage."""
  image_helpers.write_folder(tmp_path / 'data', NAMES, dict(train=3, test=1))
  image_helpers.write_tree(tmp_path / 'tree.txt', NAMES)
  return tmp_path


# --- Images -------------------------------------------------------------------


def test_images_are_stretched_to_squares(tmp_path):
  rng = np.random.default_rng(0)
  pixels = image_helpers.class_image(3, rng, height=31, width=50)
  file = tmp_path / 'image.png'
  image_helpers.write_image(file, pixels)
  found = decode.read_image(file, ImageDecoder(size=20))
  # Antialiased bilinear, written out: a tent as wide as a pixel of the result.
  expected = np.asarray(pixels, np.uint8).astype(float)
  for axis, length in ((0, 31), (1, 50)):
    scale = length / 20
    centres = (np.arange(20) + 0.5) * scale
    places = np.arange(length) + 0.5
    tent = np.maximum(1 - abs(places - centres[:, None]) / scale, 0)
    tent /= tent.sum(1, keepdims=True)
    expected = np.moveaxis(np.tensordot(tent, expected, (1, axis)), 0, axis)
  np.testing.assert_allclose(found, expected, atol=1.01)


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'CMYK', 'LA', '1'])
@pytest.mark.parametrize('channels', [1, 3])
def test_every_kind_of_image_becomes_bytes(tmp_path, mode, channels):
  rng = np.random.default_rng(0)
  image = PIL.Image.fromarray(
    image_helpers.class_image(1, rng).astype(np.uint8)
  ).convert(mode)
  file = tmp_path / ('image.jpg' if mode == 'CMYK' else 'image.png')
  image.save(file)
  found = decode.read_image(file, ImageDecoder(size=8, channels=channels))
  assert found.shape == (8, 8, channels) and found.dtype == np.uint8
  assert found.std() > 0


def test_images_of_sixteen_bits_keep_their_greys(tmp_path):
  values = np.repeat(np.linspace(0, 65535, 16)[None], 16, 0).astype(np.uint16)
  PIL.Image.fromarray(values).save(tmp_path / 'deep.png')
  found = decode.read_image(tmp_path / 'deep.png', ImageDecoder(16, 1))
  np.testing.assert_array_equal(found[0, :, 0], values[0] >> 8)


def test_large_files_are_decoded_small_and_look_the_same(tmp_path):
  rows, columns = np.mgrid[:800, :1000]
  pixels = np.stack([rows / 4, columns / 4, (rows + columns) / 8], -1)
  image_helpers.write_image(tmp_path / 'large.jpg', pixels, quality=95)
  image_helpers.write_image(tmp_path / 'large.png', pixels)
  how = ImageDecoder(size=64)
  small, whole = (
    decode.read_image(tmp_path / f'large.{kind}', how).astype(float)
    for kind in ('jpg', 'png')
  )
  assert abs(small - whole).mean() < 1


def test_random_boxes_have_torchvisions_areas_and_ratios():
  draws = np.random.default_rng(0).random((3000, 10, 4))
  for width, height in ((400, 300), (300, 400), (1, 1)):
    boxes = np.array([decode.random_box(d, width, height) for d in draws])
    left, top, right, bottom = boxes.T
    assert (left >= 0).all() and (right <= width * (1 + 1e-12)).all()
    assert (top >= 0).all() and (bottom <= height * (1 + 1e-12)).all()
    area = (right - left) * (bottom - top) / (width * height)
    ratio = (right - left) / (bottom - top)
    assert 0.08 <= area.min() < 0.1 and 0.95 < area.max() <= 1 + 1e-12
    assert 0.75 <= ratio.min() + 1e-9 and ratio.max() <= 4 / 3 + 1e-9
    # All directions alike: the logarithm is uniform, but for large areas.
    small = area < 0.4
    assert abs(np.log(ratio[small]).mean()) < 0.02


def test_a_box_that_never_fits_is_the_largest_one():
  # Attempts whose area is all of an image that is too wide.
  draws = np.tile([1.0, 0.5, 0.5, 0.5], (10, 1))
  assert decode.random_box(draws, 900, 300) == (250, 0, 650, 300)


def test_black_borders():
  batch = jnp.full((64, 6, 6, 1), 9, jnp.uint8)
  key = jax.random.key(0)
  crops = augment.crop_and_flip(batch, key, 2, False, border='zero')
  assert set(np.unique(crops)) == {0, 9}
  mirrored = augment.crop_and_flip(batch, key, 2, False)
  assert set(np.unique(mirrored)) == {9}


# --- What is read -------------------------------------------------------------


def test_files_and_cache_give_the_same_arrays(source, tmp_path):
  cached = load_dataset(folder_config(source, tmp_path))
  files = load_dataset(
    folder_config(source, tmp_path, **{'input.memory_gib': 0})
  )
  sizes = {name: len(split) for name, split in cached.splits.items()}
  assert sizes == dict(train=42, val=6, test=12)
  for name, split in cached.splits.items():
    other = files.splits[name]
    assert isinstance(split, Arrays)
    assert isinstance(other, decode.Files)
    assert split.example_shape == other.example_shape == (16, 16, 3)
    np.testing.assert_array_equal(split.labels, other.labels)
    everything = np.arange(len(split))
    np.testing.assert_array_equal(
      split.batch(everything), other.batch(everything)
    )
  # A tenth of every class, and no image in two splits.
  assert set(np.bincount(cached.splits['val'].labels)) == {1}
  paths = [p for split in files.splits.values() for p in split.files]
  assert len(set(paths)) == len(paths) == 60
  # Labels are those of the folders.
  for path, label in zip(
    files.splits['train'].files, files.splits['train'].labels, strict=True
  ):
    folder = os.fsdecode(path).split('/')[-2]
    assert files.hierarchy.class_names[label] == folder


def test_a_changed_image_is_decoded_again(copied):
  config = folder_config(copied, copied / 'cache')
  before = load_dataset(config).splits['test'].batch(np.arange(6))
  file = copied / 'data' / 'test' / 'cat' / '0.jpg'
  image_helpers.write_image(file, np.zeros((9, 9, 3)))
  kept = len(list((copied / 'cache').glob('*.npy')))
  after = load_dataset(config).splits['test'].batch(np.arange(6))
  changed = (before != after).any((1, 2, 3))
  np.testing.assert_array_equal(changed, np.arange(6) == 2)
  assert after[2].max() == 0
  # Splits that did not change were read from their files.
  assert len(list((copied / 'cache').glob('*.npy'))) == kept + 1
  assert not list((copied / 'cache').glob('*.tmp'))


def test_a_split_for_validation_is_taken_as_it_is(copied):
  image_helpers.write_folder(copied / 'data', NAMES, dict(val=2), seed=1)
  splits = load_dataset(folder_config(copied, copied / 'cache')).splits
  sizes = {name: len(split) for name, split in splits.items()}
  assert sizes == dict(train=18, val=12, test=6)


def test_grey_images_and_their_statistics(copied):
  config = folder_config(copied, copied / 'cache', **{'folder.channels': 1})
  loaded = load_dataset(config)
  assert loaded.image_shape == (16, 16, 1)
  assert loaded.mean == pytest.approx([np.mean([0.485, 0.456, 0.406])])
  config.mean, config.std = (0.2,), (0.3,)
  loaded = load_dataset(config)
  assert (loaded.mean, loaded.std) == ((0.2,), (0.3,))


# --- Batches ------------------------------------------------------------------


def test_batches_depend_on_seed_and_step_alone(source, tmp_path):
  config = folder_config(
    source, tmp_path, **{'input.memory_gib': 0, 'random_crop': 'resized'}
  )
  split = load_dataset(config).splits['train']

  def batches(start, stop, seed=0, workers=0, rows=tuple(range(8))):
    found = sampling.training_batches(
      split, 8, seed, start, stop, np.array(rows), workers
    )
    return [[np.array(part) for part in batch] for batch in found]

  whole = batches(0, 12)
  for other in (batches(5, 12), batches(5, 12, workers=1)):
    for (x, y), (x2, y2) in zip(whole[5:], other, strict=True):
      np.testing.assert_array_equal(x, x2)
      np.testing.assert_array_equal(y, y2)
  # As one of several processes makes its part of a batch.
  for part, batch in zip(batches(0, 3, rows=(2, 3, 6)), whole, strict=False):
    for values, all_values in zip(part, batch, strict=True):
      np.testing.assert_array_equal(values, all_values[[2, 3, 6]])
  order = sampling.training_order(len(split), 8, 0)
  for step, (_, labels) in enumerate(whole):
    np.testing.assert_array_equal(labels, split.labels[order[step]])
  # The same images, cropped otherwise, under another seed and another epoch.
  assert not np.array_equal(whole[0][0], batches(0, 1, seed=1)[0][0])
  plain = split.batch(order[0])
  assert not np.array_equal(whole[0][0], plain)
  np.testing.assert_array_equal(plain, split.batch(order[0]))


def test_evaluation_reads_every_file_once(source, tmp_path):
  config = folder_config(source, tmp_path, **{'input.memory_gib': 0})
  data = load_dataset(config)
  cached = load_dataset(folder_config(source, tmp_path))
  feeds = [helpers.feed_of(loaded) for loaded in (data, cached)]
  for one, other in zip(
    *(feed.batches('test', 5) for feed in feeds), strict=True
  ):
    for ours, theirs in zip(one, other, strict=True):
      np.testing.assert_array_equal(ours, theirs)


def final_state(config, folder):
  state, *_ = helpers.restored(config, folder)
  return jax.tree.map(np.asarray, state)


def assert_same(tree, other):
  jax.tree.map(np.testing.assert_array_equal, tree, other)


@pytest.mark.slow
def test_a_run_on_files_that_is_stopped_goes_on_exactly(
  source, tmp_path, monkeypatch
):
  changes = {'input.memory_gib': 0, 'random_crop': 'resized'}
  config = folder_config(source, tmp_path / 'cache', **changes)
  whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
  results = train_and_evaluate(config, whole)
  save = Checkpoints.save

  def save_and_stop(self, step, *args):
    save(self, step, *args)
    self.wait()
    raise KeyboardInterrupt

  monkeypatch.setattr(Checkpoints, 'save', save_and_stop)
  with pytest.raises(KeyboardInterrupt):
    train_and_evaluate(config, stopped)
  monkeypatch.undo()
  # Where images come from and who decodes them is not what the run is.
  config.input.update(memory_gib=4.0)
  again = train_and_evaluate(config, stopped)
  assert again['test'] == results['test']
  assert_same(final_state(config, whole), final_state(config, stopped))
  with np.load(whole / 'predictions.npz') as arrays:
    assert arrays['severe_images'].shape[1:] == (16, 16, 3)


def test_caches_of_earlier_versions_keep_their_names(copied):
  """The file's name, computed as the first released version did."""
  config = folder_config(copied, copied / 'cache')
  config.random_crop = 'resized'
  split = open_dataset(config).splits['test']
  digest = hashlib.sha256(
    b"(1, Reading(size=16, channels=3, cut_bottom=0, random_crop=''))"
  )
  for file in split.files:
    status = os.stat(file)
    facts = (os.path.abspath(file), status.st_size, status.st_mtime_ns)
    digest.update(repr(facts).encode())
  load_dataset(config)
  names = [file.stem for file in (copied / 'cache').iterdir()]
  assert digest.hexdigest()[:32] in names


def test_cache_and_files_train_alike(source, tmp_path):
  batches = []
  for memory in (4.0, 0.0):
    config = folder_config(source, tmp_path, **{'input.memory_gib': memory})
    feed = helpers.feed_of(load_dataset(config))
    batches.append(feed.training_batches(8, seed=3, start=2, stop=12))
  for one, other in zip(*batches, strict=True):
    assert_same(one, other)


# --- What is refused ----------------------------------------------------------


def remove(file):
  return lambda root: (root / file).unlink()


def rename(old, new):
  return lambda root: (root / old).rename(root / new)


def write(file, content):
  return lambda root: (root / file).write_bytes(content)


def truncate(root):
  file = root / 'data/train/fox/1.jpg'
  file.write_bytes(file.read_bytes()[:300])


BAD = {
  'no training split': (rename('data/train', 'data/t'), "no folder 'train'"),
  'no test split': (rename('data/test', 'data/t'), "no folder 'test'"),
  'no root': (rename('data', 'd'), 'name one that exists by --config.data_d'),
  'an unknown class': (
    rename('data/train/ant', 'data/train/gnu'),
    "only in the data: 'gnu'; only in the hierarchy: 'ant'",
  ),
  'a class of the test split alone': (
    rename('data/test/ant', 'data/test/gnu'),
    "test split has classes that the training split does not have: 'gnu'",
  ),
  'an empty class': (remove('data/test/elk/0.jpg'), 'test/elk has no .jpg'),
  'another format': (
    rename('data/test/elk/0.jpg', 'data/test/elk/0.gif'),
    'test/elk has no .jpg, .jpeg or .png',
  ),
  'no classes': (
    lambda root: [
      path.rename(root / path.name)
      for path in sorted((root / 'data/test').iterdir())
    ],
    'test has no folders of classes',
  ),
  'text': (write('data/train/dog/2.jpg', b'text'), 'dog/2.jpg cannot be read'),
  'an empty file': (write('data/test/bee/0.jpg', b''), 'bee/0.jpg cannot be'),
  'a truncated file': (truncate, 'fox/1.jpg cannot be read as a JPEG or PNG'),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_folders_are_told_before_training(case, copied):
  damage, message = BAD[case]
  damage(copied)
  config = folder_config(copied, copied / 'cache')
  with pytest.raises(DataError, match=message) as caught:
    train_and_evaluate(config, copied / 'run')
  assert '\n' not in str(caught.value)
  assert not (copied / 'run').exists()
  assert not list(copied.glob('cache/*.tmp'))


def test_a_format_by_another_name_is_told(copied):
  file = copied / 'data/test/bee/0.jpg'
  PIL.Image.fromarray(np.zeros((4, 4), np.uint8)).save(file, format='GIF')
  with pytest.raises(DataError, match='bee/0.jpg cannot be read as'):
    load_dataset(folder_config(copied, copied / 'cache'))


@pytest.mark.parametrize('workers', [0, 1])
def test_damaged_files_are_named_where_they_are_met(copied, workers):
  """Images that are decoded as they are needed are seen when they are."""
  truncate(copied)
  changes = {'input.memory_gib': 0, 'input.workers': workers}
  data = load_dataset(folder_config(copied, copied / 'cache', **changes))
  batches = helpers.feed_of(data).training_batches(6, 0, 0, 3)
  with pytest.raises(DataError, match='fox/1.jpg cannot be read'):
    list(batches)


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'hierarchy': ''}, 'name its file by --config.hierarchy'),
    ({'mean': (0.5, 0.5)}, 'config.mean must have a number for each of the 3'),
  ],
)
def test_settings_that_do_not_fit_are_told(source, tmp_path, changes, message):
  config = folder_config(source, tmp_path, **changes)
  with pytest.raises(DataError, match=message):
    load_dataset(config)


def test_a_full_disk_is_told_before_decoding(source, tmp_path, monkeypatch):
  def full(*_):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(os, 'posix_fallocate', full, raising=False)
  config = folder_config(source, tmp_path / 'cache')
  with pytest.raises(DataError, match='No space left on device'):
    load_dataset(config)
  assert not list((tmp_path / 'cache').iterdir())


def test_a_cache_that_cannot_be_written_is_told(source, tmp_path):
  (tmp_path / 'file').write_text('')
  config = folder_config(source, tmp_path / 'file')
  with pytest.raises(DataError, match='--config.input.cache_dir'):
    load_dataset(config)


# --- From the command line ----------------------------------------------------


def command(*words):
  return subprocess.run(
    [sys.executable, '-m', *words],
    cwd=ROOT,
    env=os.environ | dict(JAX_PLATFORMS='cpu'),
    capture_output=True,
    text=True,
    timeout=300,
  )


@pytest.mark.slow
def test_sixty_four_classes_from_the_command_line_alone(tmp_path):
  names = [f'species {label:02d}' for label in range(64)]
  image_helpers.write_folder(
    tmp_path / 'data', names, dict(train=4, test=2), suffix='png'
  )
  tree = image_helpers.write_tree(tmp_path / 'tree.txt', names, groups=9)
  run = tmp_path / 'run'
  done = command(
    'hafjax.main',
    '--config=configs/image_folder.py',
    f'--workdir={run}',
    f'--config.data_dir={tmp_path / "data"}',
    f'--config.hierarchy={tree}',
    f'--config.input.cache_dir={tmp_path / "cache"}',
    '--config.image_size=8',
    '--config.model=mlp',
    '--config.batch_size=32',
    '--config.num_epochs=4',
    '--config.mean=(0.5,0.5,0.5)',
    '--config.std=(0.2,0.2,0.2)',
  )
  assert done.returncode == 0, done.stderr[-2000:]
  results = json.loads((run / 'results.json').read_text())
  # Chance is 1 / 64.
  assert results['test']['top1'] > 0.2
  record = json.loads((run / 'run.json').read_text())
  paths = load_hierarchy(tree).paths(sep='\t')
  assert record['classes'] == paths
  reported = command('hafjax.report', str(run))
  assert reported.returncode == 0, reported.stderr[-2000:]
  page = next(run.rglob('*.html')).read_text()
  assert '<div class="tiles">' in page and '<img src="data:' in page
