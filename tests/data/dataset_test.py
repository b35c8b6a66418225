# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import gzip
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import cifar100
from configs import fashion_mnist
from configs import quickstart
from hafjax.data import Arrays
from hafjax.data import DataError
from hafjax.data import augment
from hafjax.data import load_dataset
from hafjax.data import sampling
from hafjax.data.idx import idx_splits
from hafjax.data.sets.fashion_mnist import DEBIAN_FOLDER
from hafjax.data.sets.fashion_mnist import SPEC as FASHION_MNIST
from hafjax.data.splits import hold_out
from hafjax.data.synthetic import diffusion_templates
from hafjax.hierarchy import load_hierarchy


def write_idx(file, array, magic=None):
  header = bytes([0, 0, 8, array.ndim]) if magic is None else magic
  shape = np.array(array.shape, '>u4').tobytes()
  with gzip.open(file, 'wb') as stream:
    stream.write(header + shape + array.tobytes())


@pytest.fixture
def idx_folder(tmp_path):
  """Fashion-MNIST's format: 502 images of each class, pixels say which."""
  for prefix, per_class in (('train', 502), ('t10k', 3)):
    labels = np.tile(np.arange(10, dtype=np.uint8), per_class)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0] = labels
    images[:, 0, 1] = np.arange(len(labels)) // 10 % 256
    write_idx(tmp_path / f'{prefix}-images-idx3-ubyte.gz', images)
    write_idx(tmp_path / f'{prefix}-labels-idx1-ubyte.gz', labels)
  return tmp_path


def test_fashion_mnist_from_idx_files(idx_folder):
  config = fashion_mnist.get_config()
  config.data_dir = str(idx_folder)
  loaded = load_dataset(config)
  sizes = {name: len(arrays) for name, arrays in loaded.splits.items()}
  assert sizes == dict(train=20, val=5000, test=30)
  for arrays in loaded.splits.values():
    np.testing.assert_array_equal(arrays.images[:, 0, 0, 0], arrays.labels)
  # The first two of every class train, the last 500 validate.
  assert set(loaded.splits['train'].images[:, 0, 1, 0]) == {0, 1}
  assert loaded.image_shape == (28, 28, 1)
  assert loaded.distances.max() == loaded.hierarchy.height == 3


def test_labels_follow_the_hierarchys_class_order(idx_folder, tmp_path):
  tree = load_hierarchy('fashion_mnist')
  reversed_paths = tree.paths()[::-1]
  file = tmp_path / 'reversed.txt'
  file.write_text('\n'.join(reversed_paths))
  config = fashion_mnist.get_config()
  config.data_dir, config.hierarchy = str(idx_folder), str(file)
  test = load_dataset(config).splits['test']
  np.testing.assert_array_equal(9 - test.images[:, 0, 0, 0], test.labels)


def test_other_classes_are_told_by_name(idx_folder, tmp_path):
  file = tmp_path / 'other.txt'
  paths = load_hierarchy('fashion_mnist').paths()
  file.write_text('\n'.join([*paths[:-1], 'root/hats/hats/fedora']))
  config = fashion_mnist.get_config()
  config.data_dir, config.hierarchy = str(idx_folder), str(file)
  with pytest.raises(
    ValueError, match=r"only in the data: .*; only in the hierarchy: 'fedora'"
  ):
    load_dataset(config)


@pytest.mark.parametrize(
  'damage, message',
  [
    (lambda f: f.write_bytes(f.read_bytes()[:50]), 'cannot be read'),
    (lambda f: f.write_bytes(b'not gzip'), 'cannot be read'),
    (lambda f: f.unlink(), 'cannot be read'),
    (lambda f: write_idx(f, np.zeros((2, 2)), bytes(3)), 'not an IDX file'),
    (lambda f: write_idx(f, np.zeros(0, np.uint8), b'\0\0\10\3'), 'truncated'),
    (
      lambda f: write_idx(f, np.zeros((4, 28, 28), np.uint8)),
      'do not belong together',
    ),
  ],
)
def test_damaged_idx_files_are_told(idx_folder, damage, message):
  damage(idx_folder / 't10k-images-idx3-ubyte.gz')
  with pytest.raises(DataError, match=message):
    idx_splits(idx_folder)


@pytest.mark.skipif(
  not os.path.isdir(DEBIAN_FOLDER),
  reason='needs the Debian package dataset-fashion-mnist',
)
def test_the_real_fashion_mnist_has_the_published_statistics():
  splits = idx_splits(DEBIAN_FOLDER)
  pixels = splits['train'].images / 255
  assert pixels.mean() == pytest.approx(FASHION_MNIST.mean[0], abs=1e-4)
  assert pixels.std() == pytest.approx(FASHION_MNIST.std[0], abs=1e-4)
  for name, per_class in (('train', 6000), ('test', 1000)):
    assert set(np.bincount(splits[name].labels)) == {per_class}


def test_cifar100_through_tfds(tmp_path, monkeypatch):
  """TFDS prepares an archive in CIFAR-100's own format, and we read that."""
  import requests
  import tensorflow_datasets as tfds

  tree = load_hierarchy('cifar100')
  superclasses = [path.split('/')[-2] for path in tree.paths()]
  coarse_names = sorted(set(superclasses))
  folder = tmp_path / 'archive' / 'cifar-100-binary'
  folder.mkdir(parents=True)
  (folder / 'fine_label_names.txt').write_text('\n'.join(tree.class_names))
  (folder / 'coarse_label_names.txt').write_text('\n'.join(coarse_names))
  for name, per_class in (('train', 51), ('test', 2)):
    fine = np.tile(np.arange(100, dtype=np.uint8), per_class)
    records = np.zeros((len(fine), 2 + 3 * 32 * 32), np.uint8)
    records[:, 0] = [coarse_names.index(superclasses[i]) for i in fine]
    records[:, 1] = fine
    records[:, 2] = fine  # The first pixel's red says which class.
    records[:, 3] = np.arange(len(fine)) // 100  # The next one's, which copy.
    records.tofile(folder / f'{name}.bin')

  monkeypatch.setattr(requests, 'head', lambda *args, **kwargs: None)
  monkeypatch.setattr(
    tfds.download.DownloadManager,
    'download_and_extract',
    lambda *args: tmp_path / 'archive',
  )
  config = cifar100.get_config()
  config.data_dir = str(tmp_path / 'tfds')
  for _ in range(2):  # Prepared, then found prepared.
    splits = load_dataset(config).splits
    sizes = {name: len(arrays) for name, arrays in splits.items()}
    assert sizes == dict(train=100, val=5000, test=200)
    for arrays in splits.values():
      assert arrays.images.shape[1:] == (32, 32, 3)
      np.testing.assert_array_equal(arrays.images[:, 0, 0, 0], arrays.labels)
    assert set(np.bincount(splits['val'].labels)) == {50}
    # The first copy of every class trains, the last 50 validate, although TFDS
    # shuffles what it prepares.
    assert set(splits['train'].images[:, 0, 0, 1]) == {0}


def test_fashion_mnist_through_tfds(tmp_path, monkeypatch):
  import requests
  import tensorflow_datasets as tfds

  monkeypatch.setattr(requests, 'head', lambda *args, **kwargs: None)
  config = fashion_mnist.get_config()
  config.data_dir = str(tmp_path)  # No IDX files there.
  # TFDS's mock draws labels at random: enough of each class to hold out 500.
  with tfds.testing.mock_data(num_examples=7000):
    splits = load_dataset(config).splits
  assert len(splits['train']) == 2000 and len(splits['val']) == 5000
  assert splits['test'].images.shape == (7000, 28, 28, 1)
  assert set(np.bincount(splits['val'].labels)) == {500}


def test_without_a_network_cifar100_names_the_two_ways_on(tmp_path):
  config = cifar100.get_config()
  config.data_dir = str(tmp_path)
  try:
    loaded = load_dataset(config)
  except DataError as error:
    assert '--config.data_dir' in str(error) and 'quickstart' in str(error)
    assert '\n' not in str(error)
  else:
    assert len(loaded.splits['train']) == 45000


def test_hold_out_refuses_to_leave_a_class_empty():
  arrays = Arrays(np.zeros((3, 1, 1, 1), np.uint8), np.array([0, 0, 1]))
  with pytest.raises(DataError, match='Class 1 has 1 training images'):
    hold_out(arrays, 1)


def test_synthetic_similarities_follow_the_tree():
  tree = load_hierarchy('quickstart')
  templates = diffusion_templates(tree, 64, 3, seed=1)
  flat = templates.reshape(tree.num_classes, -1).astype(np.float64)
  similarity = np.corrcoef(flat)
  distances = tree.distances()
  by_distance = [
    similarity[distances == d].mean() for d in range(tree.height + 1)
  ]
  # By construction 1 - d / H in expectation; templates are few, so loosely.
  expected = 1 - np.arange(tree.height + 1) / tree.height
  np.testing.assert_allclose(by_distance, expected, atol=0.12)


def test_synthetic_images_depend_on_the_seed_alone():
  config = quickstart.get_config()
  config.synthetic.train_per_class = 3
  first, again = load_dataset(config), load_dataset(config)
  config.synthetic.seed = 1
  other = load_dataset(config)
  for name in ('train', 'val', 'test'):
    images = first.splits[name].images
    np.testing.assert_array_equal(images, again.splits[name].images)
    assert (images != other.splits[name].images).mean() > 0.9
  assert not np.array_equal(
    first.splits['train'].images[:90], first.splits['test'].images[:90]
  )


def test_normalize_matches_numpy():
  images = np.random.default_rng(0).integers(0, 256, (4, 5, 5, 3), np.uint8)
  mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
  expected = (images / 255 - np.array(mean)) / np.array(std)
  actual = augment.normalize(jnp.asarray(images), mean, std)
  np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_crop_and_flip_gives_windows_of_the_reflected_image():
  image = np.arange(1, 65, dtype=np.uint8).reshape(8, 8, 1)
  batch = jnp.asarray(np.repeat(image[None], 200, 0))
  crops = np.asarray(augment.crop_and_flip(batch, jax.random.key(0), 2, True))
  padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode='reflect')
  windows = {}
  for top in range(5):
    for left in range(5):
      window = padded[top : top + 8, left : left + 8]
      windows[window.tobytes()] = (top, left, False)
      windows[np.ascontiguousarray(window[:, ::-1]).tobytes()] = (
        top,
        left,
        True,
      )
  drawn = [windows[crop.tobytes()] for crop in crops]
  # All 50 are equally likely: 200 draws miss few.
  assert len(set(drawn)) > 40
  assert 60 < sum(flipped for _, _, flipped in drawn) < 140


def test_crop_without_padding_or_flip_changes_nothing():
  images = jnp.arange(48, dtype=jnp.uint8).reshape(1, 4, 4, 3)
  same = augment.crop_and_flip(images, jax.random.key(0), 0, False)
  np.testing.assert_array_equal(same, images)


def test_zero_pad_centers():
  images = np.full((2, 28, 28, 1), 7, np.uint8)
  padded = np.asarray(augment.zero_pad(jnp.asarray(images), 32))
  assert padded.shape == (2, 32, 32, 1)
  np.testing.assert_array_equal(padded[:, 2:30, 2:30], images)
  assert padded.sum() == images.sum()


def test_training_order_shows_every_example_once_an_epoch():
  order = sampling.training_order(10, batch_size=4, seed=3)
  seen = np.concatenate([order[step] for step in range(10)])
  epochs = seen.reshape(4, 10)
  for epoch in epochs:
    np.testing.assert_array_equal(np.sort(epoch), np.arange(10))
  assert len({tuple(epoch) for epoch in epochs}) == 4
  np.testing.assert_array_equal(order[7], seen[28:32])
  other = sampling.training_order(10, batch_size=4, seed=4)
  assert not np.array_equal(order[0], other[0])


@pytest.mark.parametrize('size, batch_size', [(10, 4), (8, 4), (3, 8)])
def test_evaluation_covers_everything_once(size, batch_size):
  seen = []
  for indices, mask in sampling.evaluation_batches(size, batch_size):
    assert indices.shape == mask.shape == (batch_size,)
    seen.extend(indices[mask])
  np.testing.assert_array_equal(seen, np.arange(size))


def test_images_are_never_shrunk():
  config = quickstart.get_config()
  config.image_size = 16
  with pytest.raises(DataError, match='image_size=16 is smaller'):
    load_dataset(config)


def test_missing_folder_of_idx_files(tmp_path):
  with pytest.raises(DataError, match='cannot be read'):
    idx_splits(pathlib.Path(tmp_path / 'nowhere'))


# --- Imbalance ---------------------------------------------------------------


def thin(**options):
  config = quickstart.get_config()
  config.synthetic.update(
    image_size=4, train_per_class=20, val_per_class=2, test_per_class=2
  )
  config.imbalance.update(options)
  return load_dataset(config)


def test_a_long_tail_falls_by_its_factor():
  whole, loaded = thin(), thin(factor=10.0)
  counts = np.bincount(loaded.splits['train'].labels)
  np.testing.assert_array_equal(
    counts, np.floor(20 * 10 ** (-np.arange(30) / 29) + 1e-9)
  )
  assert (counts[0], counts[-1]) == (20, 2)
  for label in (0, 17, 29):
    first = whole.splits['train'].labels == label
    kept = loaded.splits['train'].labels == label
    np.testing.assert_array_equal(
      loaded.splits['train'].images[kept],
      whole.splits['train'].images[first][: counts[label]],
    )
  for split in ('val', 'test'):
    assert len(loaded.splits[split]) == len(whole.splits[split])


def test_counts_are_taken_as_they_are():
  wanted = np.arange(30) % 20 + 1
  loaded = thin(counts=tuple(wanted.tolist()))
  np.testing.assert_array_equal(
    np.bincount(loaded.splits['train'].labels), wanted
  )


@pytest.mark.parametrize(
  'options, problem',
  [
    (dict(counts=(5, 5)), '2 entries and the hierarchy 30 classes'),
    (dict(counts=(20,) * 29 + (21,)), 'wants 21 training examples of class 29'),
    (dict(factor=21.0), 'no training example of the last class'),
  ],
)
def test_imbalance_that_the_data_cannot_have_is_refused(options, problem):
  with pytest.raises(DataError, match=problem):
    thin(**options)
