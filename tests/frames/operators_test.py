# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Separation in linear time, and frames that are never materialised."""

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import losses
from hafjax import metrics
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from hafjax.metrics.alignment import Alignment
from hafjax.models import heads
from tests import strategies

TREES = strategies.trees(min_classes=2)
GAMMAS = st.floats(0.05, 20.0)
KINDS = st.sampled_from(['lca_height', 'lca_depth'])
MAPPINGS = st.sampled_from(
  ['exponential', 'linear', lambda t: (1 - t) ** 3, lambda t: 1 / (1 + t)]
)


def random_tree(num_classes, height, seed=0):
  """Ragged: each class ends at a random depth."""
  rng = np.random.default_rng(seed)
  sizes = np.round(num_classes ** (np.arange(height) / height)).astype(int)
  starts = np.cumsum(sizes) - sizes
  parents = [np.array([-1])]
  for level in range(1, height):
    # Every node has a child, the others are shared out at random.
    above = np.arange(sizes[level - 1])
    more = rng.integers(0, sizes[level - 1], sizes[level] - sizes[level - 1])
    parents.append(starts[level - 1] + np.concatenate([above, more]))
  last = starts[-1] + np.arange(sizes[-1])
  free = rng.integers(0, starts[-1] + sizes[-1], num_classes - sizes[-1])
  parents = np.concatenate([*parents, last, free])
  return Hierarchy.from_parents(parents, [str(i) for i in range(len(parents))])


@hypothesis.given(TREES, GAMMAS, MAPPINGS, KINDS)
def test_the_tree_gives_the_dense_separation(tree, gamma, mapping, kind):
  dense = frames.min_similarity(tree.distances(kind), gamma, mapping)
  fast = frames.min_similarity(tree, gamma, mapping, kind=kind)
  # The dense q - 1 has lost digits where all classes are alike.
  assert fast == pytest.approx(dense, rel=1e-12 * max(1.0, -dense))
  np.testing.assert_allclose(
    frames.similarity(tree, gamma, mapping, kind=kind),
    frames.similarity(tree.distances(kind), gamma, mapping),
    rtol=0,
    atol=1e-12 * max(1.0, -dense),
  )


# Every tree has shapes of its own, and is compiled anew.
@hypothesis.settings(max_examples=8)
@hypothesis.given(TREES, GAMMAS, MAPPINGS, KINDS, st.floats(0, 1))
def test_rows_logits_and_similarity_agree(tree, gamma, mapping, kind, part):
  s = part * frames.min_similarity(tree, gamma, mapping, kind=kind)
  wanted = frames.similarity(tree, gamma, mapping, min_similarity=s, kind=kind)
  with jax.enable_x64(True):
    frame = frames.TreeFrame.create(
      tree, gamma, mapping, min_similarity=s, kind=kind
    )
    assert (frame.num_classes, frame.dim) == (tree.num_classes, tree.num_nodes)
    assert frame.min_similarity == s
    labels = np.arange(tree.num_classes)
    features = np.random.default_rng(0).standard_normal((3, frame.dim))
    rows, logits, pairs = jax.jit(
      lambda frame: (
        frame.rows(labels),
        frame.logits(jnp.asarray(features)),
        frame.similarity(labels, labels[::-1]),
      )
    )(frame)
  rows = np.asarray(rows)
  slack = 1e-12 * max(1.0, -s)
  np.testing.assert_allclose(rows @ rows.T, wanted, rtol=0, atol=slack)
  np.testing.assert_allclose(logits, features @ rows.T, rtol=0, atol=30 * slack)
  np.testing.assert_allclose(pairs, wanted[:, ::-1], rtol=0, atol=slack)


@pytest.mark.parametrize('num_classes', [37, 1000])
def test_single_precision_logits_loss_and_gradient(num_classes):
  tree = random_tree(num_classes, height=7)
  frame = frames.TreeFrame.create(tree, gamma=4.0)
  with jax.enable_x64(True):
    rows = np.asarray(frame.rows(np.arange(num_classes)))
  rng = np.random.default_rng(0)
  features = rng.standard_normal((5, frame.dim))
  labels = rng.integers(0, num_classes, 5)

  def run(frame, dtype):
    def loss(features):
      return losses.haframe_loss(features, frame, labels, 0.4).sum()

    inputs = jnp.asarray(features, dtype)
    return (
      frames.as_frame(frame).logits(inputs),
      *jax.value_and_grad(loss)(inputs),
      losses.cosine_frame_loss(inputs, frame, labels),
    )

  single = jax.jit(run, static_argnums=1)(frame, jnp.float32)
  with jax.enable_x64(True):
    dense = jax.jit(run, static_argnums=1)(rows, jnp.float64)
  for ours, theirs in zip(single, dense, strict=True):
    assert ours.dtype == jnp.float32
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * scale)


def test_a_pytree_with_a_gradient_of_its_own():
  tree = load_hierarchy('fashion_mnist')
  frame = frames.TreeFrame.create(tree, gamma=2.0)
  leaves, structure = jax.tree.flatten(frame)
  again = jax.tree.unflatten(structure, leaves)
  features = jax.random.normal(jax.random.key(0), (2, frame.dim))
  np.testing.assert_array_equal(again.logits(features), frame.logits(features))

  def total(scale):
    return frame.replace(scale=scale).logits(features).sum()

  scale = jnp.asarray(frame.scale, jnp.float32)
  gradient = jax.grad(total)(scale)
  # Linear in the scale, but for what the centre takes away.
  expected = total(scale) - total(jnp.zeros_like(scale))
  np.testing.assert_allclose(gradient @ scale, expected, rtol=1e-4)


def test_as_a_classifier():
  tree = load_hierarchy('fashion_mnist')
  frame = frames.TreeFrame.create(tree, gamma=2.0)
  head = heads.Fixed(frame)
  features = jax.random.normal(jax.random.key(0), (4, frame.dim))
  outputs, variables = head.init_with_output(jax.random.key(1), features)
  assert set(variables) == {'frame'}
  np.testing.assert_allclose(
    outputs['logits'], frame.logits(features), rtol=1e-6
  )
  labels = jnp.array([0, 3, 3, 9])
  rows = outputs['frame'].rows(labels)
  metric = Alignment()
  batch = metrics.Scored(rows, labels, features=rows, frame=frame)
  assert metric.finalize(metric.sums(batch, jnp.ones(4))) == {
    'feature_cosine': pytest.approx(1, abs=1e-6)
  }


def test_a_hundred_thousand_classes():
  # A K x K matrix would be 80 GB.
  tree = random_tree(100_000, height=12)
  assert tree.height == 12
  s = frames.min_similarity(tree, gamma=5.0)
  frame = frames.TreeFrame.create(tree, gamma=5.0)
  assert frame.min_similarity == s < 0
  labels = np.random.default_rng(0).integers(0, 100_000, 6)
  with jax.enable_x64(True):
    exact = np.asarray(frame.rows(labels))
    wanted = np.asarray(frame.similarity(labels, labels))
  np.testing.assert_allclose(exact @ exact.T, wanted, atol=1e-12)
  logits = jax.jit(lambda f, x: f.logits(x))(frame, frame.rows(labels))
  np.testing.assert_allclose(logits[:, labels], wanted, atol=1e-6)
  # The own class has the largest cosine, 1.
  np.testing.assert_array_equal(logits.argmax(axis=1), labels)


@pytest.mark.slow
def test_a_million_nodes():
  tree = random_tree(800_000, height=9)
  assert tree.num_nodes > 1_000_000
  assert frames.min_similarity(tree, gamma=5.0) < 0
  # The linear mapping and a star have closed forms to compare with.
  star = Hierarchy.from_parents(
    [-1] + [0] * 999_999, [str(i) for i in range(1_000_000)]
  )
  s = frames.min_similarity(star, 1.0, mapping='linear')
  assert s == pytest.approx(-1 / 999_998, rel=1e-9)


def test_identical_classes():
  # Distances 1 and 2 are one and the same to this mapping: E is singular.
  tree = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/z', 'r/b/w', 'r/v/c/d'])

  def flat(t):
    return np.where(t < 0.5, 1.0, 0.3)

  dense = frames.min_similarity(tree.distances(), 0, flat)
  assert frames.min_similarity(tree, 0, flat) == pytest.approx(dense, rel=1e-9)
  with jax.enable_x64(True):
    frame = frames.TreeFrame.create(tree, 0, flat)
    rows = np.asarray(frame.rows(np.arange(5)))
  np.testing.assert_allclose(rows[0], rows[1], atol=1e-12)
  np.testing.assert_allclose(
    rows @ rows.T, frames.similarity(tree, 0, flat), atol=1e-12
  )


def test_small_gammas_lose_no_digits():
  """Both tend to the linear mapping's geometry, where E is 1 - gamma D / H."""
  tree = load_hierarchy('cifar100')
  gamma = 1e-4
  fast = frames.min_similarity(tree, gamma)
  # 1 - f is gamma t (1 - gamma t / 2 ...): s grows as 1 / gamma.
  ratio = frames.min_similarity(tree, gamma / 2) / fast
  assert ratio == pytest.approx(2, rel=1e-3)
  dense = frames.min_similarity(tree.distances(), gamma)
  assert fast == pytest.approx(dense, rel=1e-6)


def test_a_root_that_no_two_classes_part_at():
  low = Hierarchy.from_paths(['r/u/a/x', 'r/u/a/y', 'r/u/b'])
  bare = Hierarchy.from_paths(['u/a/x', 'u/a/y', 'u/b'])
  assert frames.min_similarity(low, 2.0) == frames.min_similarity(bare, 2.0)
  for tree in (low, bare):
    with jax.enable_x64(True):
      rows = np.asarray(frames.TreeFrame.create(tree, 2.0).rows(np.arange(3)))
    wanted = frames.similarity(tree.distances(), 2.0)
    np.testing.assert_allclose(rows @ rows.T, wanted, atol=1e-12)


TREE = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/z'])


@pytest.mark.parametrize(
  'make, message',
  [
    (
      lambda: frames.TreeFrame.create(TREE, 1, mapping=lambda t: 1 + t),
      'not increase with distance, but it does from 0.5 to 1',
    ),
    (
      lambda: frames.min_similarity(TREE, 1, lambda t: 1 - 2 * t),
      'stay at or above 0',
    ),
    (
      lambda: frames.TreeFrame.create(TREE, -1),
      'gamma must be a positive number, got -1',
    ),
    (lambda: frames.TreeFrame.create(TREE, 1, kind='x'), 'kind must be'),
    (
      lambda: frames.TreeFrame.create(TREE, 1, min_similarity=-9.0),
      'min_similarity must lie between',
    ),
    (
      lambda: frames.TreeFrame.create(Hierarchy.from_paths(['r/a']), 1),
      'at least 2 classes, got 1',
    ),
  ],
)
def test_errors(make, message):
  with pytest.raises(frames.FrameError, match=message):
    make()
