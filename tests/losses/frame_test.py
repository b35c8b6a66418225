# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import losses
from tests import strategies


def cases(figures):
  for case in ('a', 'b'):
    yield {
      name[2:]: value
      for name, value in figures.items()
      if name.startswith(f'{case}_')
    }


def test_the_published_loss_and_gradient(reference, x64):
  figures = reference('haframe_loss')
  for case in cases(figures):
    frame, labels = case['classifier'], case['labels']

    @jax.jit
    def both(features, alpha, beta, frame=frame, labels=labels):
      def mean(features):
        return losses.haframe_loss(features, frame, labels, alpha, beta).mean()

      return jax.value_and_grad(mean)(features)

    for i, (beta, alpha) in enumerate(figures['beta_alpha']):
      value, gradient = both(jnp.asarray(case['features']), alpha, beta)
      np.testing.assert_allclose(value, case['loss_batchmean'][i], rtol=1e-9)
      np.testing.assert_allclose(gradient, case['grad'][i], atol=1e-10)


def test_the_published_loss_in_float32(reference):
  figures = reference('haframe_loss')
  for case in cases(figures):
    features = jnp.asarray(case['features'], jnp.float32)
    assert features.dtype == jnp.float32
    frame, labels = case['classifier'], case['labels']
    for i, (beta, alpha) in enumerate(figures['beta_alpha']):
      value = losses.haframe_loss(features, frame, labels, alpha, beta)
      assert value.dtype == jnp.float32 and value.shape == labels.shape
      np.testing.assert_allclose(
        value.mean(), case['loss_batchmean'][i], rtol=1e-5
      )
    cosine = losses.cosine_frame_loss(features, frame, labels).mean()
    np.testing.assert_allclose(cosine, case['cosine_term'], rtol=1e-5)


def test_the_published_schedules(reference):
  figures = reference('haframe_loss')
  epochs = int(figures['schedule_epochs'])
  period = int(figures['schedule_period']) / epochs
  progress = np.arange(epochs) / epochs
  for i, name in enumerate(map(str, figures['schedule_names'])):
    try:
      options = dict(name='constant', alpha=float(name))
    except ValueError:
      options = dict(name=name.replace('-', '_'), period=period)
    beta, alpha = losses.mixing_schedule(**options)(progress)
    for actual, key in ((beta, 'schedule_beta'), (alpha, 'schedule_alpha')):
      actual = np.broadcast_to(actual, epochs)
      np.testing.assert_allclose(
        actual, figures[key][i], atol=2e-6, err_msg=name
      )


@hypothesis.given(
  strategies.trees(min_classes=2),
  st.floats(0.3, 5.0),
  st.integers(0, 2**32 - 1),
)
def test_the_product_equals_the_sum_over_classes(tree, gamma, seed):
  frame = frames.haframe(tree, gamma)
  rng = np.random.default_rng(seed)
  features = rng.standard_normal((4, len(frame)))
  labels = rng.integers(0, len(frame), 4)
  similarity = frames.similarity(tree, gamma)
  expected = [
    sum(
      (f @ w / np.linalg.norm(f) - similarity[y, c]) ** 2
      for c, w in enumerate(frame)
    )
    for f, y in zip(features, labels, strict=True)
  ]
  actual = jax.jit(losses.cosine_frame_loss)(
    jnp.asarray(features, jnp.float32), frame, labels
  )
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_zero_exactly_at_the_own_class_vector(x64):
  frame = frames.simplex_etf(6, dim=7)
  labels = np.arange(6)
  at_home = losses.cosine_frame_loss(jnp.asarray(3 * frame), frame, labels)
  np.testing.assert_allclose(at_home, 0, atol=1e-28)
  away = losses.cosine_frame_loss(jnp.asarray(frame), frame, labels[::-1])
  assert (np.asarray(away) > 0.1).all()
  # A part outside the frame's span is invisible but for the norm it takes.
  outside = np.linalg.svd(frame)[2][-1]
  mixed = losses.cosine_frame_loss(jnp.asarray(frame + outside), frame, labels)
  scale = (1 - 1 / np.sqrt(2)) ** 2
  expected = scale * ((frame @ frame.T) ** 2).sum(axis=1)
  np.testing.assert_allclose(mixed, expected)


def test_cross_entropy_alone_does_not_end_at_the_class_vector(x64):
  """Why the cosine loss is there: theory page, section 3."""
  tree_distances = np.array([[0, 1, 2], [1, 0, 2], [2, 2, 0]])
  frame = jnp.asarray(frames.haframe(tree_distances, 1.0))
  labels = np.arange(3)

  def slope(alpha):
    features = 4 * frame
    gradient = jax.grad(
      lambda f: losses.haframe_loss(f, frame, labels, alpha).sum()
    )(features)
    radial = (gradient * frame).sum(-1, keepdims=True) * frame
    return float(jnp.abs(gradient - radial).max())

  assert slope(alpha=1.0) < 1e-12 < 1e-3 < slope(alpha=0.0)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_a_zero_feature_is_harmless(dtype):
  frame = frames.simplex_etf(4)
  features = jnp.zeros((2, 4), dtype)
  labels = np.array([0, 3])
  value, gradient = jax.value_and_grad(
    lambda f: losses.haframe_loss(f, frame, labels, 0.4).sum()
  )(features)
  # Cosines are 0 as published: the loss is the row of S, squared.
  expected = 2 * (0.6 * np.log(4) + 0.4 * (1 + 3 / 9))
  np.testing.assert_allclose(value, expected, rtol=1e-6)
  assert np.isfinite(np.asarray(gradient, np.float32)).all()


def test_half_precision_features_are_computed_in_float32():
  frame = frames.simplex_etf(4)
  features = jax.random.normal(jax.random.key(0), (3, 4)).astype(jnp.bfloat16)
  labels = np.array([0, 1, 2])
  half = losses.haframe_loss(features, frame, labels, 0.4)
  full = losses.haframe_loss(features.astype(jnp.float32), frame, labels, 0.4)
  assert half.dtype == jnp.float32
  np.testing.assert_array_equal(half, full)


def test_beta_follows_alpha():
  frame = frames.simplex_etf(4)
  features = jax.random.normal(jax.random.key(0), (3, 4))
  labels = np.array([0, 1, 2])
  for alpha, beta in ((0.0, 1.0), (0.4, 0.6), (1.0, 0.0), (3.0, 1.0)):
    np.testing.assert_allclose(
      losses.haframe_loss(features, frame, labels, alpha),
      losses.haframe_loss(features, frame, labels, alpha, beta),
      rtol=1e-6,
    )


def test_ranks_are_never_promoted_silently():
  frame = frames.simplex_etf(4)
  features, labels = jnp.ones((3, 4)), jnp.array([0, 1, 2])
  with jax.numpy_rank_promotion('raise'):
    jax.jit(lambda f: losses.haframe_loss(f, frame, labels, 0.4))(features)


@pytest.mark.parametrize(
  'options, message',
  [
    (
      dict(name='sawtooth'),
      "no mixing schedule 'sawtooth'; there are constant",
    ),
    (dict(name='constant', alpha=-1.0), 'alpha must be at least 0'),
    (dict(name='cosine', period=0.0), 'period must be a positive number'),
  ],
)
def test_schedule_errors(options, message):
  with pytest.raises(ValueError, match=message):
    losses.mixing_schedule(**options)
