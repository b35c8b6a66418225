# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
import pytest

from hafjax import frames
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from tests import strategies

NAMES = [
  'cifar100',
  'fgvc_aircraft',
  'tiered_imagenet_h',
  'tiered_imagenet_h_lca',
  'inaturalist19',
]
TREES = strategies.trees(min_classes=2)
GAMMAS = st.floats(0.2, 12.0)


@pytest.mark.parametrize('name', NAMES)
def test_exact_separation_of_the_paper_hierarchies(reference, name):
  figures = reference('frames')
  distances = figures[f'{name}_distance']
  for i, gamma in enumerate(figures[f'{name}_gammas']):
    s = frames.min_similarity(distances, gamma)
    assert s == pytest.approx(figures[f'{name}_exact_exp'][i], rel=1e-9)
    # q from s: s = -1 / (q - 1).
    assert 1 - 1 / s == pytest.approx(figures[f'{name}_q_exp'][i], rel=1e-9)
  s = frames.min_similarity(distances, gamma=1.0, mapping='linear')
  assert s == pytest.approx(float(figures[f'{name}_exact_lin']), rel=1e-9)


def check_grid(figures, name, rates):
  distances = figures[f'{name}_distance']
  for i in rates:
    gamma = figures[f'{name}_gammas'][i]
    published = figures[f'{name}_min_sim_exp'][i]
    s = frames.min_similarity(distances, gamma, separation='grid')
    assert s == pytest.approx(published, rel=1e-12)
    # The published similarities, by distance.
    table = frames.similarity(distances, gamma, min_similarity=s)
    by_distance = figures[f'{name}_S_by_distance_exp'][i]
    np.testing.assert_allclose(table, by_distance[distances], atol=1e-12)


@pytest.mark.parametrize('name', ['cifar100', 'fgvc_aircraft'])
def test_grid_separation_repeats_the_published_search(reference, name):
  check_grid(reference('frames'), name, range(3))
  figures = reference('frames')
  s = frames.min_similarity(
    figures[f'{name}_distance'], 1.0, mapping='linear', separation='grid'
  )
  assert s == pytest.approx(float(figures[f'{name}_min_sim_lin']), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES[2:])
def test_grid_separation_of_the_large_hierarchies(reference, name):
  check_grid(reference('frames'), name, [0])


@pytest.mark.parametrize('name', ['cifar100', 'fgvc_aircraft'])
def test_frames_of_the_paper_hierarchies(reference, name):
  figures = reference('frames')
  distances, gamma = figures[f'{name}_distance'], figures[f'{name}_gammas'][0]
  wanted = frames.similarity(distances, gamma)
  for dim in (99, 100, 150):
    frame = frames.haframe(distances, gamma, dim=dim)
    assert frame.shape == (100, dim) and frame.dtype == np.float64
    np.testing.assert_allclose(frame @ frame.T, wanted, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(frame, axis=1), 1, atol=1e-12)


@hypothesis.given(
  TREES, GAMMAS, st.sampled_from(['lca_height', 'lca_depth']), st.booleans()
)
def test_a_frame_has_the_similarity_and_the_similarity_is_sound(
  tree, gamma, kind, linear
):
  # The linear mapping of the farthest distance is 0; E stays definite.
  mapping = 'linear' if linear else 'exponential'
  wanted = frames.similarity(tree, gamma, mapping, kind=kind)
  np.testing.assert_array_equal(np.diag(wanted), 1)
  np.testing.assert_array_equal(wanted, wanted.T)
  assert np.linalg.eigvalsh(wanted)[0] > -1e-9
  frame = frames.haframe(tree, gamma, mapping=mapping, kind=kind)
  np.testing.assert_allclose(frame @ frame.T, wanted, atol=1e-9)
  # Similarity falls with distance.
  distances = tree.distances(kind)
  for near, far in zip(range(distances.max()), range(1, 99), strict=False):
    if (distances == near).any() and (distances == far).any():
      assert wanted[distances == near].min() > wanted[distances == far].max()


@hypothesis.given(TREES, GAMMAS)
def test_exact_separation_is_the_least_feasible(tree, gamma):
  hypothesis.assume(tree.num_classes > 2)
  exact = frames.min_similarity(tree, gamma)
  # The search forgives eigenvalues down to -1e-6.
  assert exact <= frames.min_similarity(tree, gamma, separation='grid') + 2e-6
  distances = tree.distances()
  kernel = np.exp(-gamma * distances / distances.max())

  def least_eigenvalue(s):
    return np.linalg.eigvalsh((1 - s) * kernel + s)[0]

  assert least_eigenvalue(exact) == pytest.approx(0, abs=1e-9)
  assert least_eigenvalue(exact * 1.01) < 0
  # At the minimum the frame is one dimension short: K - 1 suffice.
  frame = frames.haframe(tree, gamma, dim=tree.num_classes - 1)
  with pytest.raises(frames.FrameError, match='needs .* dimensions'):
    frames.haframe(tree, gamma, dim=tree.num_classes - 2)
  # Class vectors balance with the weights of the null vector x = E^-1 1.
  weights = np.linalg.solve(kernel, np.ones(len(kernel)))
  np.testing.assert_allclose(
    weights @ frame / np.abs(weights).sum(), 0, atol=1e-7
  )


def test_large_gamma_is_the_simplex_etf():
  tree = load_hierarchy('fashion_mnist')
  etf = frames.simplex_etf(10)
  cosines = etf @ etf.T
  np.testing.assert_allclose(cosines[~np.eye(10, dtype=bool)], -1 / 9)
  np.testing.assert_allclose(etf.sum(axis=0), 0, atol=1e-12)
  frame = frames.haframe(tree, gamma=200.0)
  np.testing.assert_allclose(frame @ frame.T, cosines, atol=1e-12)


def test_singular_kernels():
  # Two classes at no distance: E is singular, but 1 is in its range.
  distances = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]])
  two = frames.min_similarity(np.array([[0, 1], [1, 0]]), 1.0)
  assert frames.min_similarity(distances, 1.0) == pytest.approx(two)
  # 1 is outside the range of this one: no s below 0 is feasible.
  kernel = np.array([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]])
  off = 1 - np.eye(3)
  s = frames.min_similarity(off, 1.0, mapping=lambda t: kernel)
  assert s == 0.0


def test_a_mapping_may_be_a_function():
  tree = load_hierarchy('fashion_mnist')
  exponential = frames.similarity(tree, gamma=1.5)
  own = frames.similarity(tree, gamma=0, mapping=lambda t: np.exp(-1.5 * t))
  np.testing.assert_allclose(own, exponential, atol=1e-15)


def test_seeds_rotate():
  tree = load_hierarchy('fashion_mnist')
  first = frames.haframe(tree, 2.0, seed=0)
  np.testing.assert_array_equal(first, frames.haframe(tree, 2.0, seed=0))
  other = frames.haframe(tree, 2.0, seed=1)
  assert np.abs(first - other).max() > 0.1
  np.testing.assert_allclose(first @ first.T, other @ other.T, atol=1e-12)


@pytest.mark.parametrize('num_classes', [None, 100])
@pytest.mark.parametrize('dim', [100, 60])
def test_rounding_does_not_turn_a_frame(monkeypatch, num_classes, dim):
  # Stands for another machine: a checkpoint is read under a frame made anew.
  if num_classes is None:
    wanted = frames.similarity(load_hierarchy('cifar100'), 2.0)
  else:
    etf = frames.simplex_etf(num_classes)
    wanted = etf @ etf.T
  frame = frames.low_dim_frame(wanted, dim, num_steps=3)
  eigh = np.linalg.eigh

  def other(matrix):
    values, vectors = eigh(matrix)
    rng = np.random.default_rng(0)
    start = 0
    for stop in range(1, len(values) + 1):
      if stop == len(values) or values[stop] - values[start] > 1e-9:
        size = stop - start
        turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
        vectors[:, start:stop] = vectors[:, start:stop] @ turn
        start = stop
    return values, vectors

  monkeypatch.setattr(np.linalg, 'eigh', other)
  again = frames.low_dim_frame(wanted, dim, num_steps=3)
  np.testing.assert_allclose(again, frame, atol=1e-8)


def test_rotations_are_uniform():
  # The mean of a Haar rotation's entries is 0 and their variance 1 / d; QR
  # without the signs repaired has a diagonal of one sign.
  entries = np.array(
    [frames.orthogonal_frame(3, dim=4, seed=seed) for seed in range(2000)]
  )
  np.testing.assert_allclose(entries.mean(axis=0), 0, atol=0.05)
  np.testing.assert_allclose(entries.var(axis=0), 0.25, atol=0.03)


def test_orthogonal_frames_have_their_lengths():
  lengths = np.array([2.0, 0.0, 0.5])
  frame = frames.orthogonal_frame(3, dim=5, seed=1, lengths=lengths)
  np.testing.assert_allclose(frame @ frame.T, np.diag(lengths**2), atol=1e-12)
  plain = frames.orthogonal_frame(3)
  np.testing.assert_allclose(plain @ plain.T, np.eye(3), atol=1e-12)


def test_float64_whatever_jax_says():
  tree = load_hierarchy('cifar100')
  inside = {}
  for flag in (False, True):
    with jax.enable_x64(flag):
      inside[flag] = frames.haframe(tree, 2.0)
  assert inside[False].dtype == np.float64
  np.testing.assert_array_equal(inside[False], inside[True])


def test_barz_denzler_is_linear_similarity_without_separation():
  tree = load_hierarchy('cifar100')
  frame = frames.barz_denzler_frame(tree)
  wanted = 1 - tree.distances() / 5
  np.testing.assert_allclose(frame @ frame.T, wanted, atol=1e-12)


# On its way to two dimensions, one of its rows shrinks to almost nothing.
SHRINKING = Hierarchy.from_paths(
  """r/1 r/2/5 r/3/6/10 r/3/6/11/16 r/3/6/11/17/20 r/3/7 r/3/6/11/17/21 r/3/8/12
  r/3/6/11/18/22 r/4 r/3/6/11/18/23 r/3/8/13/19 r/3/9/14 r/3/9/15""".split()
)


@hypothesis.given(TREES, GAMMAS, st.integers(1, 30), st.integers(0, 9))
@hypothesis.example(SHRINKING, 6.0, 2, 0)
@hypothesis.settings(max_examples=30)
def test_few_dimensions(tree, gamma, dim, seed):
  wanted = frames.similarity(tree, gamma)
  frame = frames.low_dim_frame(wanted, dim, seed=seed, num_steps=5000)
  assert frame.shape == (tree.num_classes, dim) and frame.dtype == np.float64
  np.testing.assert_allclose(np.linalg.norm(frame, axis=1), 1, atol=1e-12)
  error = frames.gram_error(frame, wanted)
  if dim >= tree.num_classes - 1:
    assert error.largest < 1e-9
    return
  start = frames.low_dim_frame(wanted, dim, seed=seed, num_steps=0)
  assert error.relative <= frames.gram_error(start, wanted).relative + 1e-12
  # A stationary point on the product of spheres.
  slope = (frame @ frame.T - wanted) @ frame
  slope -= (slope * frame).sum(axis=1, keepdims=True) * frame
  assert np.abs(slope).max() < 1e-4


def test_refinement_lowers_the_gram_error_at_half_the_dimensions():
  tree = load_hierarchy('cifar100')
  wanted = frames.similarity(tree, 2.0)
  frame = frames.low_dim_frame(wanted, 50)
  start = frames.low_dim_frame(wanted, 50, num_steps=0)
  before, after = (frames.gram_error(f, wanted) for f in (start, frame))
  assert after.relative < 0.75 * before.relative
  assert after.largest < before.largest
  # Errors as they are defined.
  gap = frame @ frame.T - wanted
  assert after.largest == np.abs(gap).max()
  assert after.relative == np.linalg.norm(gap) / np.linalg.norm(wanted)


def test_a_circle_is_the_best_of_two_dimensions():
  # Three orthogonal vectors in a plane: 60 or 120 degrees apart.
  frame = frames.low_dim_frame(np.eye(3), 2)
  off = (frame @ frame.T)[~np.eye(3, dtype=bool)]
  np.testing.assert_allclose(np.abs(off), 0.5, atol=1e-4)


TREE = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/z'])
# Two classes near a third and far from each other: no ultrametric, and for
# small gamma not even a positive definite kernel.
STAR = np.array([[0, 1, 1, 1], [1, 0, 4, 4], [1, 4, 0, 4], [1, 4, 4, 0]], float)


@pytest.mark.usefixtures('unchecked')
@pytest.mark.parametrize(
  'make, message',
  [
    (lambda: frames.haframe(TREE, 0), 'gamma must be a positive number, got 0'),
    (lambda: frames.haframe(TREE, -2.0), 'gamma must be .* got -2.0'),
    (lambda: frames.haframe(TREE, float('nan')), 'gamma must be .* got nan'),
    (lambda: frames.haframe(TREE, 1, dim=1), 'needs 2 dimensions .* got dim=1'),
    (
      lambda: frames.haframe(TREE, 1, mapping='x'),
      "mapping must be .* got 'x'",
    ),
    (
      lambda: frames.haframe(TREE, 1, separation='x'),
      "separation must be .* got 'x'",
    ),
    (lambda: frames.haframe(np.ones((2, 3)), 1), 'square, got shape'),
    (lambda: frames.haframe(np.zeros((1, 1)), 1), 'at least 2 classes, got 1'),
    (lambda: frames.haframe(np.zeros((2, 2)), 1), 'distances are zero'),
    (lambda: frames.haframe([[0, 1], [2, 0]], 1), r'symmetric: entry \[0, 1\]'),
    (lambda: frames.haframe([[0, -1], [-1, 0]], 1), 'at least 0'),
    (lambda: frames.haframe([[1, 1], [1, 0]], 1), 'zero on the diagonal'),
    (lambda: frames.haframe([[0, np.nan], [np.nan, 0]], 1), 'finite'),
    (
      lambda: frames.haframe('no such thing', 1),
      'neither a built-in hierarchy',
    ),
    (lambda: frames.haframe([['a', 'b'], ['c', 'd']], 1), 'matrix of numbers'),
    (
      lambda: frames.haframe(STAR, 0.1),
      r'indefinite \(smallest .*: they are not a metric, as entry \[1, 2\] is '
      r'4 but the way by 0 is 1 \+ 1 .* raise gamma: gamma=.* works',
    ),
    (
      lambda: frames.haframe(STAR, 0.1, mapping='linear'),
      "indefinite .* use mapping='exponential' and a large gamma",
    ),
    (
      lambda: frames.haframe([[0, 0, 1], [0, 0, 2], [1, 2, 0]], 1),
      'no gamma works: classes 0 and 1 have no distance',
    ),
    (
      lambda: frames.min_similarity(STAR, 0.1, separation='grid'),
      r'indefinite \(smallest eigenvalue -',
    ),
    (
      lambda: frames.min_similarity(TREE, 1, separation='grid', num_samples=0),
      'None of',
    ),
    (lambda: frames.haframe(TREE, 1e-10), 'all classes are 1 up to rounding'),
    (lambda: frames.haframe(TREE, 1, mapping=np.ones_like), 'up to rounding'),
    (lambda: frames.haframe(TREE, 'x'), "gamma must be .* got 'x'"),
    (
      lambda: frames.haframe(
        TREE, 1, mapping=lambda t: np.where(t > 0, np.nan, 1)
      ),
      'mapping must be finite',
    ),
    (
      lambda: frames.haframe(
        TREE.distances(),
        1,
        mapping=lambda t: np.triu(np.exp(-t)) + np.tril(t, -1),
      ),
      'same for equal distances',
    ),
    (lambda: frames.frame_from_similarity(np.full((2, 2), np.inf)), 'finite'),
    (
      lambda: frames.similarity(TREE, 1, min_similarity=0.1),
      'min_similarity must lie between',
    ),
    (
      lambda: frames.similarity(TREE, 1, min_similarity=-50.0),
      'min_similarity must lie between',
    ),
    (
      lambda: frames.frame_from_similarity([[1, 2], [2, 1]]),
      'indefinite',
    ),
    (lambda: frames.frame_from_similarity([[1, 2], [0, 1]]), 'symmetric'),
    (lambda: frames.low_dim_frame(np.eye(3), 0), 'at least 1 dimension'),
    (lambda: frames.simplex_etf(1), 'at least 2 classes'),
    (lambda: frames.simplex_etf(10, dim=8), 'needs 9 dimensions'),
    (lambda: frames.orthogonal_frame(2, lengths=[1]), 'lengths must be'),
    (lambda: frames.orthogonal_frame(2, lengths=[0, 0]), 'must be positive'),
  ],
)
def test_errors_say_what_is_wrong(make, message):
  with pytest.raises(frames.FrameError, match=message):
    make()
