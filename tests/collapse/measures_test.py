# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import collapse
from hafjax import frames

UPDATED = jax.jit(collapse.ClassStatistics.update)
MERGED = jax.jit(collapse.ClassStatistics.merge)


def statistics(features, labels, num_classes, batch_size=64):
  """In batches, the last of which is partial."""
  stats = collapse.ClassStatistics.create(
    num_classes, features.shape[1], features.dtype
  )
  for start in range(0, len(labels), batch_size):
    part = slice(start, start + batch_size)
    stats = UPDATED(stats, features[part], labels[part])
  return stats


@pytest.fixture
def figures(reference, x64):
  found = reference('nc_metrics')
  for name in ('X', 'W', 'b', 'X_ood'):
    found[name] = found[name].astype(np.float64)
  return found


@pytest.fixture
def stats(figures):
  return statistics(figures['X'], figures['y'], 10)


def close(actual, expected, rtol=1e-9):
  np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-12)


def test_published_statistics(figures, stats):
  close(stats.counts, figures['counts'])
  close(stats.means, figures['td/mu_c'])
  close(stats.global_mean, figures['td/mu_G'])
  close(stats.within, figures['td/Sigma_W'])
  close(stats.variances, figures['rw/var_norms'])
  norms = np.linalg.norm(figures['X'], axis=1)
  close(stats.norm_mean, norms.mean())
  close(stats.norm_std, norms.std())


@pytest.mark.parametrize(
  'suffix, centre', [('', 'classes'), ('_wmean', 'examples')]
)
def test_published_measures_about_either_centre(figures, stats, suffix, centre):
  def want(name):
    return figures[f'rw/{name}{suffix}']

  for kind in ('pinv', 'svd', 'quotient'):
    close(collapse.nc1(stats, kind, centre), want(f'nc1_{kind}'))
  middle = stats.means.mean(0) if centre == 'classes' else stats.global_mean
  spread, etf = stats.means - middle[None], frames.etf_similarity(10)
  weights = figures['W']
  close(collapse.nc2(spread, etf), want('nc2_etf_err'))
  close(collapse.nc3(weights, spread, etf), want('nc3_dual_err'))
  for kernel, name in (
    ('distance', 'dist'),
    ('log', 'log'),
    ('riesz', 'riesz'),
  ):
    close(collapse.pair_kernel(spread, kernel), want(f'nc2g_{name}'), rtol=1e-8)
  close(collapse.uniform_duality(weights, spread, 'dot'), want('nc3u_uni_dual'))
  close(collapse.uniform_duality(weights, spread), want('nc3u_uni_dual_cos'))
  close(
    collapse.self_duality(weights, spread, 'rows'),
    want('nc3_dist_normed').mean(),
  )


def test_published_measures_of_one_centre(figures, stats):
  weights, spread = figures['W'], stats.means - stats.global_mean[None]
  etf, identity = frames.etf_similarity(10), np.eye(10)
  close(collapse.nc1(stats), figures['td/nc1'])
  close(collapse.nc1(stats, 'cdnv'), figures['rw/nc1_cdnv'])
  close(collapse.nc1(stats, 'cdnv', power=4), figures['rw/nc1_cdnv_exp2'])
  close(collapse.class_distances(stats), figures['rw/cdnv_grid_offdiag'])
  close(collapse.nc2(weights, etf), figures['fs/nc2_etf_W'])
  close(collapse.nc2(weights, identity), figures['fs/nc2_id_W'])
  close(collapse.nc2(spread, etf), figures['fs/nc2_etf_H'])
  close(collapse.nc2(stats.means, identity), figures['fs/nc2_id_H'])
  close(collapse.nc3(weights, spread, etf), figures['td/nc3_WH'])
  close(collapse.nc3(weights, stats.means, identity), figures['fs/nc3_id_WH'])
  for means, name in ((stats.means, ''), (spread, '_centred')):
    close(
      collapse.self_duality(weights, means, 'distance'),
      figures[f'fs/nc3_W_sub_H{name}'],
    )
  mean, bias = stats.global_mean, figures['b']
  close(collapse.bias_relation(weights, mean, bias), figures['td/wh_b'])
  close(collapse.bias_relation(weights, mean), figures['td/wh_nobias'])
  groups = [figures['X_ood'][figures['rw/y_ood'] == c] for c in range(10)]
  outliers = np.mean([g.mean(0) for g in groups if len(g)], axis=0)
  close(outliers, figures['rw/mG_ood'])
  close(
    collapse.outlier_deviation(stats.means, outliers),
    figures['rw/nc5_ood_dev'],
  )


@pytest.mark.parametrize('depth', [1, 2, 3])
def test_published_general_orthogonal_frames(figures, stats, depth):
  def want(name):
    return figures[f'fs/gof_M{depth}/{name}']

  weights, means, counts = figures['W'], stats.means, figures['counts']
  lengths = want('s') ** (2 * depth)
  shift = lengths + len(figures['X']) * figures['fs/lambda_h']
  close(collapse.nc2(weights, np.diag(lengths)), want('nc2_W'))
  close(collapse.nc2(means, np.diag(lengths / shift**2)), want('nc2_H'))
  close(collapse.nc3(weights, means, np.diag(lengths / shift)), want('nc3_WH'))
  close(
    collapse.self_duality(weights, shift[:, None] * means, 'distance'),
    want('nc3_W_sub_H'),
  )
  close(
    collapse.length_gap(weights, means, counts if depth == 1 else shift**2),
    want('nc3_W_div_H'),
  )


@pytest.mark.parametrize('group', ['etf', 'haf', 'haf_etffeat'])
def test_published_deviations_from_a_frame(figures, group):
  def want(name):
    return figures[f'haf/{group}/{name}']

  features = figures['haf/X_haf' if group == 'haf' else 'X'].astype(np.float64)
  weights = figures['W'] if group == 'etf' else figures['haf/W']
  target = frames.etf_similarity(10) if group == 'etf' else weights
  stats = statistics(features, figures['y'], 10)
  centred = stats.means - stats.global_mean[None]
  for name, vectors in (
    ('cls', weights),
    ('cfeat', centred),
    ('rfeat', stats.means),
  ):
    mean, std = collapse.frame_deviation(vectors, target)
    close(mean, want(f'{name}_mean'))
    close(std, want(f'{name}_std'))
  close(collapse.self_duality(weights, centred), want('cfeat_duality'))
  close(collapse.self_duality(weights, stats.means), want('rfeat_duality'))


def test_published_agreement_with_the_nearest_mean(figures, stats):
  predictions = jnp.argmax(figures['X'] @ figures['W'].T, axis=1)
  agree = collapse.nc4(predictions, figures['X'], stats.means)
  close(np.asarray(agree).mean(), figures['rw/nc4_agree'])
  hits = [int(agree[figures['y'] == c].sum()) for c in range(10)]
  np.testing.assert_array_equal(hits, figures['rw/nc4_hits'])


@hypothesis.given(
  st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([1.0, 1e3])
)
@hypothesis.settings(max_examples=30, deadline=None)
def test_any_batches_give_the_definition(seed, num_batches, offset):
  rng = np.random.default_rng(seed)
  shape = (num_batches, 6)
  labels, counted = rng.integers(0, 3, shape), rng.random(shape) < 0.7
  features = offset + rng.standard_normal((*shape, 4))
  noise = np.where(counted[..., None], features, np.nan)
  with jax.enable_x64(True):
    halves = [collapse.ClassStatistics.create(4, 4, jnp.float64)] * 2
    for i in range(num_batches):
      halves[i % 2] = UPDATED(halves[i % 2], noise[i], labels[i], counted[i])
    stats = MERGED(*halves)
    global_mean, within = stats.global_mean, stats.within
    norm_std = stats.norm_std
  features, labels = features[counted], labels[counted]
  close(stats.counts, np.bincount(labels, minlength=4))
  rest = features.copy()
  for c in range(4):
    mine = features[labels == c]
    mean = mine.mean(0) if len(mine) else np.zeros(4)
    close(stats.means[c], mean)
    variance = np.sum((mine - mean) ** 2) / max(len(mine), 1)
    close(stats.variances[c], variance, rtol=1e-7)
    rest[labels == c] -= mean
  covariance = rest.T @ rest / max(len(rest), 1)
  np.testing.assert_allclose(within, covariance, rtol=1e-7, atol=1e-8)
  if len(features):
    close(global_mean, features.mean(0))
    close(norm_std, np.linalg.norm(features, axis=1).std(), rtol=1e-6)


def test_nothing_cancels_in_float32():
  # A thousandth of spread about means of 100.
  rng = np.random.default_rng(0)
  labels = np.arange(4000) % 4
  features = 100 * np.eye(4)[labels] + 1e-3 * rng.standard_normal((4000, 4))
  features = features.astype(np.float32)
  stats = statistics(features, labels, 4)
  assert stats.within.dtype == jnp.float32
  exact = [np.var(features[labels == c].astype(float), 0) for c in range(4)]
  np.testing.assert_allclose(
    np.diag(stats.within), np.mean(exact, axis=0), rtol=0.01
  )


def test_collapsed_features_measure_zero():
  frame = frames.haframe(
    np.array([[0, 1, 2], [1, 0, 2], [2, 2, 0]]), gamma=1.0, seed=3
  )
  labels = np.array([0, 0, 0, 1, 2, 2])
  with jax.enable_x64(True):
    stats = statistics(5 * frame[labels], labels, 3)
    for kind in ('pinv', 'svd', 'quotient', 'cdnv'):
      assert collapse.nc1(stats, kind) < 1e-20
    assert collapse.nc2(stats.means, frame @ frame.T) < 1e-12
    assert collapse.frame_deviation(stats.means, frame)[0] < 1e-12
    assert collapse.self_duality(frame, stats.means) < 1e-24
    assert collapse.nc4(labels, 5 * frame[labels], stats.means).all()
    # Not what a simplex ETF would be.
    etf = frames.etf_similarity(3)
    assert collapse.nc2(stats.means, etf) > 0.1


def test_classes_without_examples_are_left_out():
  features = np.array([[1.0, 0], [0, 1], [3, 0]], np.float32)
  stats = statistics(features, np.array([0, 3, 0]), 5).present()
  np.testing.assert_array_equal(stats.counts, [2, 1])
  np.testing.assert_array_equal(stats.means, [[2, 0], [0, 1]])
  assert np.isfinite(collapse.nc1(stats))


@pytest.mark.parametrize(
  'call',
  [
    lambda s: collapse.nc1(s, 'other'),
    lambda s: collapse.nc1(s, centre='other'),
    lambda s: collapse.self_duality(s.means, s.means, 'other'),
    lambda s: collapse.uniform_duality(s.means, s.means, 'other'),
    lambda s: collapse.pair_kernel(s.means, 'other'),
  ],
)
@pytest.mark.usefixtures('unchecked')
def test_unknown_kinds_are_refused(call):
  stats = statistics(np.eye(3, dtype=np.float32), np.arange(3), 3)
  with pytest.raises(ValueError, match="got 'other'"):
    call(stats)


def test_nothing_cancels_in_distances_to_means():
  rng = np.random.default_rng(0)
  means = rng.standard_normal((20, 16))
  features = np.repeat(means, 5, axis=0) + 0.3 * rng.standard_normal((100, 16))
  gaps = np.linalg.norm(features[:, None] - means, axis=2)
  present = np.arange(20) != 7
  nearest = np.where(present, gaps, np.inf).argmin(axis=1)
  for offset in (0.0, 1e3):
    shifted = np.where(present[:, None], means + offset, 0)
    agree = collapse.nc4(
      nearest, np.float32(features + offset), np.float32(shifted), present
    )
    assert agree.mean() > 0.97


def test_classes_of_equal_means_leave_nc1_to_the_others():
  # Two classes have collapsed into one: of rank 1, not 2.
  features = np.array([[1.0, 0], [1, 0], [1, 0], [-1, 0.5], [-1, -0.5]])
  with jax.enable_x64(True):
    stats = statistics(features, np.array([0, 1, 0, 2, 2]), 3)
    assert collapse.nc1(stats, 'svd') == pytest.approx(collapse.nc1(stats))
