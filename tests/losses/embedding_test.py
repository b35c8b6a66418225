# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses towards given class vectors, against the published figures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import losses


def mean_and_gradient(loss, features):
  return jax.value_and_grad(lambda f: loss(f).mean())(jnp.asarray(features))


@pytest.mark.parametrize('suffix', ['', '_b', '_unnormalised'])
def test_cosine_and_ranking(reference, x64, suffix):
  figures = reference('cosine')
  outputs = figures['outputs_b' if suffix == '_b' else 'outputs']
  targets, labels = figures[f'embeddings{suffix}'], figures['labels']
  value, gradient = mean_and_gradient(
    lambda f: losses.embedding_cosine_loss(f, targets, labels), outputs
  )
  np.testing.assert_allclose(value, figures[f'cosine_loss{suffix}'], rtol=1e-9)
  if suffix != '_unnormalised':
    np.testing.assert_allclose(
      gradient, figures[f'cosine_grad{suffix}'], rtol=1e-6, atol=1e-12
    )
  # Of the unnormalised case there is one margin.
  value, gradient = figures[f'ranking_loss{suffix}'], None
  for i, wanted in enumerate(np.atleast_1d(value)):
    margin = float(figures['ranking_margins'][i])
    value, gradient = mean_and_gradient(
      lambda f, m=margin: losses.ranking_loss(f, targets, labels, m), outputs
    )
    np.testing.assert_allclose(value, wanted, rtol=1e-9)
    np.testing.assert_allclose(
      gradient,
      figures[f'ranking_grad{suffix}'].reshape(-1, *outputs.shape)[i],
      rtol=1e-6,
      atol=1e-12,
    )


def test_cosine_with_cross_entropy(reference, x64):
  figures = reference('cosine')
  for i, weight in enumerate(figures['xent_weights']):
    value, gradient = mean_and_gradient(
      lambda f, w=float(weight): losses.embedding_cosine_loss(
        f, figures['embeddings'], figures['labels'], w
      ),
      figures['outputs'],
    )
    np.testing.assert_allclose(value, figures['cosine_xent_loss'][i], rtol=1e-9)
    np.testing.assert_allclose(
      gradient, figures['cosine_xent_grad'][i], rtol=1e-6, atol=1e-12
    )


def test_the_hierarchy_embedding(reference):
  figures = reference('cosine')
  frame = frames.barz_denzler_frame(figures['target_distance'])
  np.testing.assert_allclose(
    frame @ frame.T, figures['target_similarity'], atol=1e-12
  )


def dot_regression_cases(figures, case):
  """Name -> (features, lengths, scale of the vectors, weight of norms)."""
  x, feat = figures[f'{case}/x'], figures[f'{case}/feat']
  randlen = figures[f'{case}/H_length_random']
  batch, data = figures[f'{case}/Ew'][0], figures[f'{case}/global_Ew'][0]
  return {
    'dr_unit': (feat, np.linalg.norm(feat, axis=1), 1.0, 0.0),
    'dr_raw': (x, np.linalg.norm(x, axis=1), 1.0, 0.0),
    'dr_randlen': (x, randlen, 1.0, 0.0),
    'dr_Ew': (feat, np.linalg.norm(feat, axis=1), batch, 0.0),
    'dr_gEw_randlen': (x, randlen, data, 0.0),
    'dr_reg': (x, randlen, batch, 0.1),
  }


@pytest.mark.parametrize('case', ['case0', 'case1'])
def test_dot_regression(reference, x64, case):
  figures = reference('etf')
  labels = figures[f'{case}/y']
  frame = figures[f'{case}/M'].T.astype(np.float64)
  for name, (features, lengths, scale, weight) in dot_regression_cases(
    figures, case
  ).items():
    vectors = np.reshape(scale, (-1, 1)) * frame
    value, gradient = mean_and_gradient(
      lambda f, v=vectors, n=lengths, w=weight: losses.dot_regression_loss(
        f, v, labels, n, w
      ),
      features.astype(np.float64),
    )
    wanted = figures[f'{case}/{name}/loss']
    np.testing.assert_allclose(value, wanted, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(
      gradient,
      figures[f'{case}/{name}/grad'],
      rtol=1e-5,
      atol=1e-9,
      err_msg=name,
    )


@pytest.mark.parametrize('case', ['case0', 'case1'])
def test_dot_products_and_mixed_labels(reference, x64, case):
  figures = reference('etf')
  scale = figures[f'{case}/Ew'][0][:, None]
  frame = scale * figures[f'{case}/M'].T.astype(np.float64)
  labels, others = figures[f'{case}/y'], figures[f'{case}/y_b']
  x = figures[f'{case}/x'].astype(np.float64)
  part, lengths = float(figures[f'{case}/mix/lam']), np.linalg.norm(x, axis=1)

  def mixed(f):
    own, other = (
      losses.dot_regression_loss(f, frame, y, lengths) for y in (labels, others)
    )
    return part * own + (1 - part) * other

  for name, loss in (
    ('dot', lambda f: losses.dot_loss(f, frame, labels)),
    ('mix', mixed),
  ):
    value, gradient = mean_and_gradient(loss, x)
    np.testing.assert_allclose(value, figures[f'{case}/{name}/loss'], rtol=1e-6)
    np.testing.assert_allclose(
      gradient, figures[f'{case}/{name}/grad'], rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize('case', ['case0', 'case1'])
def test_class_lengths(reference, x64, case):
  figures = reference('etf')
  counts = figures[f'{case}/cls_num_list']
  np.testing.assert_allclose(
    losses.class_lengths(counts), figures[f'{case}/global_Ew'][0], rtol=1e-6
  )
  batch = jnp.bincount(figures[f'{case}/y'], length=len(counts))
  np.testing.assert_allclose(
    losses.class_lengths(batch), figures[f'{case}/Ew'][0], rtol=1e-6
  )


def test_features_of_length_zero_are_safe():
  frame = jnp.asarray(frames.simplex_etf(4), jnp.float32)
  labels, features = jnp.arange(4), jnp.zeros((4, 4))
  for loss in (
    lambda f: losses.embedding_cosine_loss(f, frame, labels, 0.1),
    lambda f: losses.ranking_loss(f, frame, labels, 0.1),
    lambda f: losses.dot_regression_loss(f, frame, labels, 1.0, 0.1),
  ):
    value, gradient = mean_and_gradient(loss, features)
    assert np.isfinite(value) and np.isfinite(gradient).all()
