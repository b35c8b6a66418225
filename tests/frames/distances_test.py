# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distances that do not come from a tree: repair, files, training."""

import re

import numpy as np
import pytest

from hafjax import frames
from hafjax.data import load_dataset
from hafjax.train.run import train_and_evaluate
from hafjax.train.setup import Setup
from tests import helpers

# Shortest paths in the complete bipartite graph of 2 and 3 classes: a metric,
# but not one of negative type, so that small rates have no frame.
BIPARTITE = np.array(
  [
    [0, 2, 1, 1, 1],
    [2, 0, 1, 1, 1],
    [1, 1, 0, 2, 2],
    [1, 1, 2, 0, 2],
    [1, 1, 2, 2, 0],
  ],
  float,
)
STAR = np.array([[0, 1, 1, 1], [1, 0, 4, 4], [1, 4, 0, 4], [1, 4, 4, 0]], float)


@pytest.mark.parametrize('distances, gamma', [(BIPARTITE, 0.05), (STAR, 0.5)])
def test_the_error_names_a_gamma_that_works(distances, gamma):
  with pytest.raises(frames.FrameError) as caught:
    frames.haframe(distances, gamma)
  message = str(caught.value)
  kernel = np.exp(-gamma * distances / distances.max())
  least = np.linalg.eigvalsh(kernel)[0]
  assert f'smallest eigenvalue {least:.3g}' in message
  works = float(re.search(r'gamma=([\d.e+-]+) works', message)[1])
  frame = frames.haframe(distances, works)
  np.testing.assert_allclose(
    frame @ frame.T, frames.similarity(distances, works), atol=1e-9
  )
  # And not much less would do.
  with pytest.raises(frames.FrameError, match='indefinite'):
    frames.haframe(distances, 0.95 * works)
  assert ('not a metric' in message) == (distances is STAR)


def test_triangles():
  assert frames.broken_triangle(BIPARTITE) is None
  i, k, j = frames.broken_triangle(STAR)
  assert STAR[i, j] > STAR[i, k] + STAR[k, j]
  closed = frames.metric_closure(STAR)
  assert frames.broken_triangle(closed) is None
  np.testing.assert_array_equal(closed, np.minimum(STAR, 2))
  # Zero distances are distances, not missing ones.
  zeros = np.array([[0, 0, 5], [0, 0, 1], [5, 1, 0]])
  np.testing.assert_array_equal(
    frames.metric_closure(zeros), [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
  )


def write(folder, name, matrix, header=None):
  file = folder / name
  if name.endswith('.npy'):
    np.save(file, matrix)
  elif name.endswith('.npz'):
    np.savez(file, distances=matrix)
  else:
    lines = [','.join(map(str, row)) for row in matrix.tolist()]
    file.write_text('\n'.join(([header] if header else []) + lines) + '\n')
  return file


@pytest.mark.parametrize('name', ['d.npy', 'd.npz', 'd.csv'])
def test_files(tmp_path, name):
  file = write(tmp_path, name, BIPARTITE)
  np.testing.assert_array_equal(frames.load_distances(file), BIPARTITE)
  np.testing.assert_array_equal(frames.load_distances(file, 'abcde'), BIPARTITE)


def test_a_file_with_names_is_put_into_class_order(tmp_path):
  file = write(tmp_path, 'd.csv', BIPARTITE, header='a, b, c, d, e')
  loaded = frames.load_distances(file, ['e', 'b', 'c', 'd', 'a'])
  order = [4, 1, 2, 3, 0]
  np.testing.assert_array_equal(loaded, BIPARTITE[np.ix_(order, order)])


@pytest.mark.parametrize(
  'name, content, message',
  [
    ('d.csv', 'a,b\n0,1\n1', 'row 2 is not 2 numbers'),
    ('d.csv', 'a,b\n0,1\n', 'there are 1 rows of 2 numbers'),
    ('d.csv', 'a,a\n0,1\n1,0\n', "class 'a' occurs twice"),
    ('d.csv', 'a,c\n0,1\n1,0\n', "missing 'b'; unknown 'c'"),
    ('d.csv', '0,1,2\n1,0,2\n2,2,0\n', '3 classes, but there are 2'),
    ('d.csv', '0,1\n2,0\n', 'must be symmetric'),
    ('d.csv', '', 'the file is empty'),
    ('d.npy', 'nonsense', 'd.npy'),
    ('d.npz', 'nonsense', 'd.npz'),
    ('d.txt', '0', 'read from .npy, .npz and .csv'),
  ],
)
def test_bad_files(tmp_path, name, content, message):
  file = tmp_path / name
  file.write_text(content)
  with pytest.raises(frames.FrameError, match=message) as caught:
    frames.load_distances(file, ['a', 'b'])
  assert str(file) in str(caught.value)


def test_missing_files_and_arrays(tmp_path):
  with pytest.raises(frames.FrameError, match='No such file'):
    frames.load_distances(tmp_path / 'd.npy')
  np.savez(tmp_path / 'd.npz', other=np.eye(2))
  with pytest.raises(frames.FrameError, match="no array 'distances', only .o"):
    frames.load_distances(tmp_path / 'd.npz')


def test_training_with_distances_of_ones_own(tmp_path):
  rng = np.random.default_rng(0)
  points = rng.standard_normal((30, 5))
  distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
  file = write(tmp_path, 'd.npy', distances)
  config = helpers.tiny_config(distance=str(file), num_epochs=1)
  data = load_dataset(config)
  assert data.kind is None
  head = Setup.create(config, data).method.head
  np.testing.assert_allclose(
    head.frame @ head.frame.T,
    frames.similarity(distances, config.method.gamma),
    atol=1e-9,
  )
  results = train_and_evaluate(config, tmp_path / 'run')
  # Metrics are in the user's unit too: mistakes cost some real distance.
  severity = results['test']['mistake_severity']
  assert distances[distances > 0].min() < severity < distances.max()
  # The same file name with other distances is another run.
  write(tmp_path, 'd.npy', 2 * distances)
  with pytest.raises(ValueError, match='differs in distances'):
    train_and_evaluate(config, tmp_path / 'run')
