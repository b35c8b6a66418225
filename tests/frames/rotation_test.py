# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames turned to the features, alone and in training."""

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import losses
from hafjax import methods
from hafjax.data import load_dataset
from hafjax.methods import fixed
from hafjax.train import step as step_lib
from hafjax.train.setup import Setup
from hafjax.train.state import initial_state
from tests import helpers


def cost(rotation, means, frame, previous, delta, scale):
  gap = means - scale * frame @ rotation.T
  cost = (gap**2).sum()
  return cost + delta / 2 * ((rotation - previous) ** 2).sum()


@pytest.mark.parametrize('case', ['case0', 'case1', 'big0', 'big1'])
def test_never_above_the_published_iterations(reference, case):
  figures = reference('nearest_etf')
  means = figures[f'{case}/Y'].T.astype(np.float64)
  previous = figures[f'{case}/Prox'].astype(np.float64)
  count = len(means)
  centring = np.eye(count) - 1 / count
  scale, delta = 1 / np.sqrt(count - 1), float(figures[f'{case}/delta'])
  for name, weight in (('prox', delta), ('noprox', 0.0)):
    rotation = frames.nearest_rotation(
      centring, means, previous=previous, delta=weight, scale=scale
    )
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(count), atol=1e-12)
    found = cost(rotation, means, centring, previous, weight, scale)
    if case.startswith('case'):
      published = figures[f'{case}/{name}/cost_tr_projected']
      closed = figures[f'{case}/{name}/cost_closed']
      np.testing.assert_allclose(
        centring @ rotation.T * scale,
        figures[f'{case}/{name}/ETF_closed'].T,
        atol=1e-8,
      )
    else:
      middle = '' if name == 'prox' else '_noprox'
      published = figures[f'{case}/cost{middle}_tr_projected']
      closed = figures[f'{case}/cost{middle}_closed']
    assert found <= published + 1e-12
    assert found == pytest.approx(closed, abs=1e-12)


@pytest.mark.parametrize('case', ['case0', 'case1'])
def test_the_published_general_frames(reference, case):
  figures = reference('nearest_etf')
  means = figures[f'{case}/Y'].T.astype(np.float64)
  root = figures[f'{case}/gram/S_sqrt']
  rotation = frames.nearest_rotation(root, means)
  np.testing.assert_allclose(
    rotation, figures[f'{case}/gram/P_closed'], atol=1e-9
  )
  gain = np.trace(means @ rotation @ root)
  assert gain == pytest.approx(float(figures[f'{case}/gram/obj_closed']))
  assert gain >= figures[f'{case}/gram/obj_solver'] - 1e-12


@pytest.mark.parametrize('case', ['case0', 'case1'])
def test_the_published_gradient(reference, x64, case):
  """Through the SVD, where the release differentiates implicitly."""
  figures = reference('nearest_etf')
  part = {
    name: jnp.asarray(figures[f'{case}/second_call/{name}'], jnp.float64)
    for name in ('Y', 'anchor', 'G', 'grad_Y_closed', 'grad_Y_ref')
  }
  count = part['Y'].shape[1]
  centring = jnp.eye(count) - 1 / count

  def inner(means):
    rotation = frames.nearest_rotation(
      centring,
      means.T,
      previous=part['anchor'],
      delta=float(figures[f'{case}/delta']),
      scale=1 / np.sqrt(count - 1),
    )
    return (part['G'] * rotation).sum()

  gradient = jax.grad(inner)(part['Y'])
  for name, tolerance in (('grad_Y_closed', 1e-4), ('grad_Y_ref', 1e-3)):
    expected = part[name]
    error = jnp.linalg.norm(gradient - expected) / jnp.linalg.norm(expected)
    assert error < tolerance


@hypothesis.given(
  st.integers(2, 6), st.integers(0, 4), st.floats(0, 3), st.integers(0, 99)
)
def test_no_other_rotation_is_nearer(count, extra, delta, seed):
  rng = np.random.default_rng(seed)
  dim = count + extra
  frame = rng.standard_normal((count, count))
  means = rng.standard_normal((count, dim))
  previous = np.linalg.qr(rng.standard_normal((dim, count)))[0]
  found = frames.nearest_rotation(frame, means, previous, delta, scale=0.7)
  best = cost(found, means, frame, previous, delta, 0.7)
  for size in (1e-3, 0.1, 10.0):
    other = np.linalg.qr(found + size * rng.standard_normal((dim, count)))[0]
    other *= np.sign((other * found).sum(axis=0))
    assert cost(other, means, frame, previous, delta, 0.7) >= best - 1e-9


def test_means_on_a_turned_frame_are_found_in_single_precision():
  frame = frames.simplex_etf(6)
  turn = frames.orthogonal_frame(9, seed=3)[:, :6]
  means = (frame @ turn.T).astype(np.float32)
  rotation = jax.jit(frames.nearest_rotation)(
    jnp.asarray(frame, jnp.float32), jnp.asarray(means)
  )
  assert isinstance(rotation, jax.Array)
  np.testing.assert_allclose(frame @ rotation.T, means, atol=1e-5)
  np.testing.assert_allclose(rotation.T @ rotation, np.eye(6), atol=1e-5)


@pytest.mark.usefixtures('unchecked')
@pytest.mark.parametrize(
  'arguments, message',
  [
    ((np.eye(3), np.eye(4)), 'a row per class'),
    ((np.eye(3), np.ones((3, 2))), 'does not fit into 2'),
    ((np.eye(3), np.eye(3), None, 0.1), '`previous`, which is missing'),
  ],
)
def test_errors(arguments, message):
  with pytest.raises(frames.FrameError, match=message):
    frames.nearest_rotation(*arguments)


# --- In training -------------------------------------------------------------


def trained(variant, steps=7, **overrides):
  """States before and after every step, and the similarity of the frame."""
  config = helpers.tiny_config(variant, **overrides)
  data = load_dataset(config)
  setup = Setup.create(config, data)
  states = [initial_state(setup)]
  arrays = data.splits['train'].take(np.arange(0, 240, 5))
  step = jax.jit(lambda s, x, y: step_lib.train_step(s, x, y, setup))
  for _ in range(steps):
    state, _ = step(states[-1], arrays.images, jnp.asarray(arrays.labels))
    states.append(state)
  return [state.variables['frame']['classifier'] for state in states], arrays


@pytest.mark.parametrize('variant', ['haframe_nearest', 'nearest_etf'])
def test_the_frame_turns_when_it_is_due_and_keeps_its_shape(variant):
  options = {'method.rotation.every': 2, 'method.rotation.freeze_step': 5}
  history, arrays = trained(variant, **options)
  rows = [np.asarray(v['frame'].vectors) for v in history]
  moved = [
    np.abs(b - a).max() > 1e-4 for a, b in zip(rows, rows[1:], strict=False)
  ]
  # Steps are counted from 0: after steps 1 and 3, and from 5 on never.
  assert moved == [False, True, False, True, False, False, False]
  for row in rows[1:]:
    np.testing.assert_allclose(row @ row.T, rows[0] @ rows[0].T, atol=2e-5)
  # It starts as the frame that stays does.
  still, _ = trained(variant.removesuffix('_nearest'), steps=0)
  np.testing.assert_allclose(rows[0], still[0]['frame'].vectors, atol=1e-6)
  last = history[-1]
  counts = np.bincount(arrays.labels, minlength=30) * sum(
    0.99**i for i in range(7)
  )
  np.testing.assert_allclose(last['counts'], counts, rtol=1e-5)


def test_moving_averages_are_those_of_unit_features():
  features = jax.random.normal(jax.random.key(0), (2, 4, 3))
  labels = jnp.array([[0, 1, 0, 1], [1, 1, 1, 1]])
  variables = dict(
    sums=jnp.zeros((2, 3)),
    counts=jnp.zeros(2),
    coordinates=jnp.eye(2),
    rotation=jnp.eye(3, 2),
    frame=frames.DenseFrame(jnp.eye(2, 3)),
  )
  options = fixed.Rotation(every=2, decay=0.5, delta=0.0)
  for step in range(2):
    variables = fixed._turn(
      variables, features[step], labels[step], step, options
    )
  unit = np.asarray(losses.unit(features))
  sums = [
    0.5 * (unit[0, 0] + unit[0, 2]),
    0.5 * (unit[0, 1] + unit[0, 3]) + unit[1].sum(axis=0),
  ]
  np.testing.assert_allclose(variables['sums'], sums, rtol=1e-5)
  np.testing.assert_allclose(variables['counts'], [1.0, 5.0])
  means = np.array(sums) / [[1.0], [5.0]]
  expected = frames.nearest_rotation(np.eye(2), means)
  np.testing.assert_allclose(variables['frame'].vectors, expected.T, atol=1e-5)


def test_turning_brings_the_frame_nearer_to_the_features():
  (before, after), _ = trained(
    'nearest_etf', steps=1, **{'method.rotation.every': 1}
  )
  means = np.asarray(after['sums'] / after['counts'][:, None])

  def agreement(variables):
    return float((means * np.asarray(variables['frame'].vectors)).sum())

  assert agreement(after) > agreement(before) + 1.0


@pytest.mark.parametrize(
  'rotation, message',
  [
    ({'evry': 3}, "no 'evry'; it has every, freeze_step, decay, delta"),
    ({'every': 0}, 'rotation.every must be'),
    ({'decay': 1.0}, 'rotation.decay must be'),
    ({'delta': -1.0}, 'rotation.delta must be'),
  ],
)
def test_bad_rotations(rotation, message):
  with pytest.raises(methods.MethodError, match=message):
    fixed.Rotation.of(rotation)
