# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import doctest
import io

import hypothesis
import jax.numpy as jnp
from matplotlib import figure as figure_lib
import numpy as np
import pytest

from hafjax import frames
from hafjax import plots
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from tests import strategies

TREES = strategies.trees(min_classes=2)
# Two levels of groups, classes in an order that is not the tree's.
SMALL = Hierarchy.from_paths(
  ['r/a/p/0', 'r/b/q/1', 'r/a/s/2', 'r/a/p/3', 'r/b/q/4', 'r/c/5']
)
SMALL_ORDER = [0, 3, 2, 1, 4, 5]


@pytest.fixture(scope='module')
def cifar100():
  return load_hierarchy('cifar100')


def drawn(figure):
  """Draws a figure, and returns it."""
  assert isinstance(figure, figure_lib.Figure)
  figure.savefig(io.BytesIO())
  return figure


def lines_of(axis):
  """Where horizontal and vertical lines are, with their widths."""
  flat, upright = {}, {}
  for line in axis.lines:
    x, y = line.get_data()
    if y[0] == y[1]:
      flat[float(y[0])] = line.get_linewidth()
    else:
      assert x[0] == x[1]
      upright[float(x[0])] = line.get_linewidth()
  return flat, upright


def texts(figure):
  """The boxes of what is written beside points, in pixels."""
  drawn(figure)
  return [text.get_window_extent() for text in figure.axes[0].texts]


@hypothesis.given(TREES)
@hypothesis.settings(max_examples=25)
def test_tree_order_keeps_all_groups_together(tree):
  order = plots.tree_order(tree)
  assert sorted(order) == list(range(tree.num_classes))
  for level in range(tree.height + 1):
    labels = tree.level_labels(level)[order]
    assert np.sum(np.diff(labels) != 0) == labels.max()


def test_tree_order_is_stable():
  assert plots.tree_order(SMALL).tolist() == SMALL_ORDER


@pytest.mark.parametrize('array', [np.asarray, jnp.asarray])
def test_similarity_picture_shows_matrices_in_tree_order(array):
  cosines = array(frames.similarity(SMALL, gamma=2.0))
  both = {'etf': np.eye(6), 'ours': cosines}
  figure = drawn(plots.similarity_picture(both, SMALL))
  etf, ours, bar = figure.axes
  assert (etf.get_title(), ours.get_title()) == ('etf', 'ours')
  assert bar.get_ylabel() == 'cosine'
  np.testing.assert_array_equal(
    ours.images[0].get_array(),
    np.asarray(cosines, np.float64)[np.ix_(SMALL_ORDER, SMALL_ORDER)],
  )
  for axis in (etf, ours):
    assert axis.images[0].get_clim() == (-1, 1)
    names = [label.get_text() for label in axis.get_xticklabels()]
    assert names == [str(k) for k in SMALL_ORDER]
  assert [label.get_text() for label in etf.get_yticklabels()] == names


def test_similarity_picture_separates_the_groups_of_levels():
  cosines = frames.similarity(SMALL, gamma=2.0)
  axis = plots.similarity_picture(cosines, SMALL).axes[0]
  flat, upright = lines_of(axis)
  assert flat == upright
  # a | b | c, and within a, p | s.
  assert sorted(flat) == [1.5, 2.5, 4.5]
  assert flat[2.5] == flat[4.5] > flat[1.5]
  plain = plots.similarity_picture(cosines, SMALL, level_lines=False)
  assert not plain.axes[0].lines


def test_similarity_picture_of_a_matrix_alone():
  matrix = np.arange(9.0).reshape(3, 3)
  axis = drawn(plots.similarity_picture(matrix, limit=8.0)).axes[0]
  np.testing.assert_array_equal(axis.images[0].get_array(), matrix)
  assert axis.images[0].get_clim() == (-8, 8)
  assert not axis.lines


def test_similarity_picture_names_groups_of_many_classes(cifar100):
  cosines = frames.similarity(cifar100, gamma=2.0)
  axis = drawn(plots.similarity_picture(cosines, cifar100)).axes[0]
  flat, _ = lines_of(axis)
  # 20 superclasses of 5; halves, 4 and 8 groups above them.
  assert sorted(flat) == [5 * i - 0.5 for i in range(1, 20)]
  assert len(set(flat.values())) == 4
  order = plots.tree_order(cifar100)
  paths = cifar100.paths()
  assert len(axis.get_yticks()) == 20
  for place, label in zip(
    axis.get_yticks(), axis.get_yticklabels(), strict=True
  ):
    superclass = paths[order[int(place)]].split('/')[-2]
    assert label.get_text() == superclass.replace('_', ' ')


def test_similarity_picture_leaves_out_levels_that_are_too_fine():
  paths = [f'root/{k // 101}/{k // 5} /{k}' for k in range(1010)]
  tree = Hierarchy.from_paths(paths)
  axis = plots.similarity_picture(np.eye(1010), tree).axes[0]
  flat, _ = lines_of(axis)
  assert sorted(flat) == [101 * i - 0.5 for i in range(1, 10)]


def test_spectrum_picture(cifar100):
  gammas = [0.5, 2.0, 8.0]
  axis = drawn(plots.spectrum_picture(cifar100, gammas)).axes[0]
  for gamma, line in zip(gammas, axis.lines[:3], strict=True):
    cosines = frames.similarity(cifar100, gamma)
    values = np.linalg.eigvalsh(cosines)[::-1]
    x, y = line.get_data()
    assert x.tolist() == list(range(1, 100))
    np.testing.assert_allclose(y, values[:99], atol=1e-9)
    s = frames.min_similarity(cifar100, gamma)
    number = f'{s:.3g}'.replace('-', '\u2212')
    assert line.get_label() == rf'$\gamma$ = {gamma:g},  $s^*$ = {number}'
  etf, zero = axis.lines[3:]
  assert etf.get_ydata()[0] == 100 / 99
  assert list(zero.get_xdata()) == [100]
  entries = [text.get_text() for text in axis.get_legend().get_texts()]
  assert entries == [line.get_label() for line in axis.lines]
  assert axis.get_yscale() == 'log'


def test_spectrum_picture_of_distances():
  of_tree = plots.spectrum_picture(SMALL, [1.0], kind='lca_depth')
  distances = jnp.asarray(SMALL.distances('lca_depth'))
  of_matrix = plots.spectrum_picture(distances, [1.0])
  curves = [figure.axes[0].lines[0] for figure in (of_tree, of_matrix)]
  np.testing.assert_allclose(*[curve.get_ydata() for curve in curves])


@pytest.mark.parametrize('dims', [2, 3])
def test_embedding_picture_keeps_distances_that_it_can(dims):
  rng = np.random.default_rng(0)
  frame = rng.normal(size=(6, dims)) @ rng.normal(size=(dims, 9))
  for rows in (frame, frame[:, :1], jnp.asarray(frame)):
    axis = drawn(plots.embedding_picture(rows, SMALL, dims)).axes[0]
    cloud = axis.collections[0]
    # The public offsets of a 3-D cloud are those on paper.
    offsets = cloud._offsets3d if dims == 3 else cloud.get_offsets().T
    points = np.asarray(offsets).T
    assert points.shape == (6, dims)
    rows = np.asarray(rows, np.float64)
    np.testing.assert_allclose(points @ points.T, rows @ rows.T, atol=1e-5)
    assert axis.get_title() == '100% of the squared length'


def test_embedding_picture_says_how_much_it_shows():
  frame = np.diag([3.0, 2.0, 1.0, 1.0, 1.0, 0.0])
  axis = plots.embedding_picture(frame).axes[0]
  assert axis.get_xlabel() == 'direction 1 (56%)'
  assert axis.get_ylabel() == 'direction 2 (25%)'
  assert axis.get_title() == '81% of the squared length'


def test_embedding_picture_colours_the_first_groups():
  frame = frames.haframe(SMALL, gamma=2.0)
  figure = plots.embedding_picture(frame, SMALL)
  colours = figure.axes[0].collections[0].get_facecolors()
  (legend,) = figure.legends
  handles = dict(
    zip(
      [text.get_text() for text in legend.get_texts()],
      [handle.get_color() for handle in legend.legend_handles],
      strict=True,
    )
  )
  assert list(handles) == ['a', 'b', 'c']
  for colour, path in zip(colours, SMALL.paths(), strict=True):
    np.testing.assert_array_equal(colour, handles[path.split('/')[1]])
  # Level 0 is one group, the last as many as there are classes.
  for level, count in ((0, 1), (2, 4), (3, 6)):
    figure = plots.embedding_picture(frame, SMALL, level=level)
    colours = figure.axes[0].collections[0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == count


@pytest.mark.parametrize('dims', [2, 3])
def test_embedding_picture_names_classes_apart(dims):
  tree = load_hierarchy('quickstart')
  frame = np.random.default_rng(0).normal(size=(30, dims))
  figure = plots.embedding_picture(frame, tree, dims)
  boxes = texts(figure)
  for i, box in enumerate(boxes):
    assert not any(box.overlaps(other) for other in boxes[:i])
  found = ', '.join(text.get_text() for text in figure.axes[0].texts)
  for name in tree.class_names:
    assert name in found


def test_embedding_picture_names_places_of_many_classes(cifar100):
  frame = frames.haframe(cifar100, gamma=2.0)
  figure = plots.embedding_picture(frame, cifar100)
  found = {text.get_text().replace('\n', ' ') for text in figure.axes[0].texts}
  assert 'plants (15)' in found
  assert 'land mammals and people (25)' in found
  assert len(texts(figure)) == 8


@pytest.mark.usefixtures('unchecked')
def test_mistakes_are_explained():
  def check(message, make, *args, **kwargs):
    with pytest.raises(ValueError) as caught:
      make(*args, **kwargs)
    assert message in str(caught.value)

  similarity = plots.similarity_picture
  check('has 5 classes, but the hierarchy has 6', similarity, np.eye(5), SMALL)
  check("'b' must be square", similarity, {'b': np.ones((2, 3))})
  check(
    'same number of classes, got [2, 3]',
    similarity,
    {'a': np.eye(2), 'b': np.eye(3)},
  )
  check('no similarity', similarity, {})
  check('limit must be positive', similarity, np.eye(2), limit=0)
  spectrum = plots.spectrum_picture
  check('at least one gamma', spectrum, SMALL, [])
  check('gamma must be', spectrum, SMALL, [1.0, -1.0])
  embedding = plots.embedding_picture
  check('dims must be 2 or 3, got 4.', embedding, np.eye(6), SMALL, dims=4)
  check('has 5 classes, but the hierarchy has 6', embedding, np.eye(5), SMALL)
  check('must be a matrix, got shape (3,)', embedding, np.ones(3))
  check('finite and not all zero', embedding, np.zeros((3, 3)))
  check('finite and not all zero', embedding, np.full((3, 3), np.nan))
  check('level must be', embedding, np.eye(6), SMALL, level=9)


def test_example():
  assert doctest.testmod(plots).failed == 0
