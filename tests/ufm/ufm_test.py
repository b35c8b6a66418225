# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import doctest
import functools
import json
import math

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from hafjax import frames
from hafjax import losses
from hafjax import ufm
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from hafjax.ufm import modes
from tests import conftest
from tests import strategies  # noqa: F401 (its profile has no deadline)

ROWS = [f'P{number:02}' for number in range(1, 34)]
# Convex, but of three or more class sizes.
NUMERICAL = ('P31', 'P32')


@functools.cache
def acceptance(page='deep_linear_networks'):
  """The settings of a page of the theory, by name."""
  file = conftest.REFERENCE / f'{page}.json'
  return {row['id']: row for row in json.loads(file.read_text())['settings']}


def settings_of(row):
  keys = ('class_counts', 'dims', 'weight_decays', 'feature_decay', 'bias')
  bias_decay = row['bias_decay'] or 0.0
  return {key: row[key] for key in keys} | dict(
    bias_decay=bias_decay, loss=row['loss']
  )


def by_hand(weights, features, bias, settings):
  """The objective, and its gradient by all arrays in one vector; in NumPy."""
  counts, first = settings['class_counts'], settings['feature_decay']
  total, num_classes = sum(counts), len(counts)
  layers = [features]
  for matrix in weights:
    layers.append(matrix @ layers[-1])
  logits = layers[-1] + (0 if bias is None else bias[:, None])
  wanted = np.repeat(np.eye(num_classes), counts, axis=1)
  if settings['loss'] == 'mse':
    error = (logits - wanted) / total
    value = total * np.sum(error**2) / 2
  else:
    error = (scipy.special.softmax(logits, axis=0) - wanted) / total
    logs = scipy.special.log_softmax(logits, axis=0)
    value = -np.sum(wanted * logs) / total
  value += first * np.sum(features**2) / 2
  slopes = []
  if bias is not None:
    value += settings['bias_decay'] * np.sum(bias**2) / 2
    slopes.append(error.sum(axis=1) + settings['bias_decay'] * bias)
  back = list(zip(weights, settings['weight_decays'], layers, strict=False))
  for matrix, decay, below in reversed(back):
    value += decay * np.sum(matrix**2) / 2
    slopes.append(error @ below.T + decay * matrix)
    error = matrix.T @ error
  slopes.append(error + first * features)
  return value, np.concatenate([slope.ravel() for slope in slopes])


def check_objective(weights, features, bias, settings):
  """`objective` and its gradient are those by hand."""
  decays = ('weight_decays', 'feature_decay', 'bias_decay')

  def objective(point):
    return ufm.objective(
      *point,
      settings['class_counts'],
      *(settings[key] for key in decays),
      settings['loss'],
    )

  point = (list(weights), features, bias)
  value, (dw, dh, db) = jax.jit(jax.value_and_grad(objective))(point)
  expected, slope = by_hand(*point, settings)
  assert value == pytest.approx(expected, rel=1e-12)
  found = [] if bias is None else [db]
  found = np.concatenate([x.ravel() for x in [*found, *dw[::-1], dh]])
  np.testing.assert_allclose(found, slope, rtol=1e-11, atol=1e-12)


# --- Closed forms ------------------------------------------------------------


@pytest.mark.parametrize('name', [n for n in ROWS if n not in NUMERICAL])
def test_acceptance_values(name):
  row = acceptance()[name]
  exact = ufm.minimum(**settings_of(row))
  assert exact.objective == pytest.approx(row['objective'], abs=1e-9)
  assert exact.mode_order == row['mode_order']
  assert exact.status == ('search' if 'search' in row['status'] else 'proved')
  np.testing.assert_array_equal(exact.collapsed, row['collapsed'])
  for key in (
    'singular_values',
    'layer_singular_values',
    'feature_singular_values',
    'classifier_gram',
    'class_mean_gram',
    'logit_means',
  ):
    if row[key] is not None:
      np.testing.assert_allclose(
        getattr(exact, key), row[key], rtol=0, atol=1e-6, err_msg=key
      )
  if row['bias_vector'] is not None:
    np.testing.assert_allclose(exact.bias, row['bias_vector'], atol=1e-12)
  point = (exact.weights, exact.features, exact.bias)
  value, slope = by_hand(*point, settings_of(row))
  assert value == pytest.approx(exact.objective, abs=1e-12)
  assert np.abs(slope).max() < 1e-12


@pytest.mark.parametrize('name', ['P09', 'P16', 'P22', 'P26', 'P30'])
def test_objective_and_gradient_are_those_by_hand(name, x64):
  settings = settings_of(acceptance()[name])
  exact = ufm.minimum(**settings)
  check_objective(exact.weights, exact.features, exact.bias, settings)
  rng = np.random.default_rng(0)
  point = jax.tree.map(
    lambda x: rng.standard_normal(x.shape),
    (exact.weights, exact.features, exact.bias),
  )
  check_objective(*point, settings)


@pytest.mark.parametrize('name', ROWS[:30:3])
def test_a_minimum_agrees_with_its_own_weights(name):
  row = acceptance()[name]
  exact = ufm.minimum(**settings_of(row))
  product = functools.reduce(lambda x, w: w @ x, exact.weights)
  ends = np.cumsum(row['class_counts'])
  means = exact.features[:, ends - 1]
  np.testing.assert_allclose(
    product @ exact.features,
    np.repeat(exact.logit_means, row['class_counts'], axis=1),
    atol=1e-12,
  )
  np.testing.assert_allclose(
    exact.classifier_gram, product @ product.T, atol=1e-12
  )
  np.testing.assert_allclose(exact.class_mean_gram, means.T @ means, atol=1e-12)
  factors = [*exact.weights, exact.features, product @ exact.features]
  expected = [
    *exact.layer_singular_values,
    exact.feature_singular_values,
    exact.singular_values,
  ]
  for factor, values in zip(factors, expected, strict=True):
    found = np.linalg.svd(factor, compute_uv=False)[: len(values)]
    values = np.sort(values)[::-1]
    np.testing.assert_allclose(found, values[: len(found)], atol=1e-12)
    assert not values[len(found) :].any()


def gap_by_grid(theta, depth):
  """The ratio of a squared error's mode, by trying many."""
  ratio = np.linspace(0, 1, 40_001)
  value = (1 - ratio) ** 2 + (depth + 1) * theta ** (1 / (depth + 1)) * (
    ratio ** (2 / (depth + 1))
  )
  return ratio[np.argmin(value)], value.min()


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.integers(1, 8), st.floats(1e-6, 1.5))
def test_the_root_is_the_lowest_of_all_ratios(depth, share):
  theta = share * ufm.collapse_threshold(depth)
  hypothesis.assume(abs(share - 1) > 1e-4)
  gap = modes.mode_gap(math.log(theta), depth)
  ratio, value = gap_by_grid(theta, depth)
  assert 1 - gap == pytest.approx(ratio, abs=1e-3)
  assert gap * (1 + depth * (1 - gap)) == pytest.approx(value, abs=1e-6)
  assert (gap == 1) == (share >= 1)


@hypothesis.given(st.integers(1, 8), st.floats(-700, -20))
def test_tiny_decays_keep_relative_accuracy(depth, log_theta):
  gap = modes.mode_gap(log_theta, depth)
  left = (depth - 1) * math.log1p(-gap) + (depth + 1) * math.log(gap)
  assert left == pytest.approx(log_theta, rel=1e-13)


@pytest.mark.parametrize('depth', [1, 2, 3, 4, 6])
def test_classes_collapse_at_the_predicted_decay(depth):
  counts, dims = (12, 7, 4, 2), (5,) * depth
  for bias in (False, True):
    start = ufm.minimum(counts, dims, [0.1] * depth, 0.1, bias)
    for mode, product in enumerate(start.collapse_at):
      if product == 0:
        assert start.collapsed[mode] and bias
        continue
      decay = product ** (1 / (depth + 1))
      below, at, above = (
        ufm.minimum(counts, dims, [decay * factor] * depth, decay, bias)
        for factor in (1 - 1e-6, 1.0, 1 + 1e-6)
      )
      assert not below.collapsed[mode]
      assert at.collapsed[mode] and above.collapsed[mode]
      # Larger modes stay; the objective does not jump, the mode does.
      assert not above.collapsed[:mode].any()
      assert above.objective == pytest.approx(below.objective, abs=1e-5)
      if not bias:
        ratio = below.singular_values[mode] / math.sqrt(counts[mode])
        assert ratio == pytest.approx((depth - 1) / depth, abs=1e-2)


def test_the_etf_is_exact_at_a_finite_bias_decay():
  settings = dict(
    class_counts=(5,) * 4,
    dims=(8, 8),
    weight_decays=(0.02, 0.02),
    feature_decay=0.02,
    bias=True,
  )
  weak, strong, huge = (
    ufm.minimum(**settings, bias_decay=decay) for decay in (0.2, 1.0, 1e12)
  )
  np.testing.assert_allclose(weak.logit_means.sum(axis=0), 0, atol=1e-12)
  assert strong.logit_means.sum(axis=0).min() > 0.1
  plain = ufm.minimum(**settings | dict(bias=False))
  np.testing.assert_allclose(huge.logit_means, plain.logit_means, atol=1e-9)


def certificate(exact, settings):
  """Whether logits and bias are a minimum of the convex problem of depth 1.

  The slope of the data term has spectral norm of at most sqrt(Lambda), and
  sqrt(Lambda) times the nuclear norm is minus its product with the logits.
  """
  counts, loss = settings['class_counts'], settings['loss']
  logits = np.repeat(exact.logit_means, counts, axis=1)
  shifted = logits if exact.bias is None else logits + exact.bias[:, None]
  wanted = np.repeat(np.eye(len(counts)), counts, axis=1)
  output = shifted if loss == 'mse' else scipy.special.softmax(shifted, axis=0)
  slope = (output - wanted) / sum(counts)
  rate = math.sqrt(
    math.prod([*settings['weight_decays'], settings['feature_decay']])
  )
  assert np.linalg.norm(slope, 2) <= rate * (1 + 1e-7)
  assert rate * np.linalg.norm(logits, 'nuc') == pytest.approx(
    -np.sum(slope * logits), abs=1e-9
  )
  if exact.bias is not None:
    pull = slope.sum(axis=1) + settings['bias_decay'] * exact.bias
    np.testing.assert_allclose(pull, 0, atol=1e-8)


@st.composite
def shallow_settings(draw):
  """Settings of depth 1 with a closed form."""
  size, other = draw(st.integers(1, 30)), draw(st.integers(1, 30))
  members, others = draw(st.integers(1, 4)), draw(st.integers(1, 4))
  counts = [size] * members + [other] * others
  bias_decay = draw(st.sampled_from([None, 0.0, 0.01, 3.0]))
  loss = draw(st.sampled_from(['ce', 'mse']))
  hypothesis.assume(loss == 'ce' or not bias_decay or size == other)
  zero = max(counts) / sum(counts) ** 2
  product = zero * draw(st.floats(1e-8, 1.3))
  return dict(
    class_counts=draw(st.permutations(counts)),
    dims=(len(counts) + 1,),
    weight_decays=(math.sqrt(product) * 3,),
    feature_decay=math.sqrt(product) / 3,
    bias=bias_decay is not None,
    bias_decay=bias_decay or 0.0,
    loss=loss,
  )


@hypothesis.settings(max_examples=50)
@hypothesis.given(shallow_settings())
def test_minima_of_depth_one_have_a_dual_certificate(settings):
  exact = ufm.minimum(**settings)
  assert exact.status == 'proved'
  certificate(exact, settings)


@pytest.mark.parametrize('bias', [False, True])
def test_zero_is_the_minimum_of_strong_decay(bias):
  settings = dict(class_counts=(9, 4, 2), dims=(3,), bias=bias, loss='ce')
  zero = ufm.minimum(**settings, weight_decays=(0.3,), feature_decay=0.3)
  assert zero.collapsed.all()
  product = zero.collapse_at[0]
  at = dict(weight_decays=(product,), feature_decay=1 + 1e-9)
  certificate(
    ufm.minimum(**settings, **at), settings | at | dict(bias_decay=0.0)
  )
  with pytest.raises(ufm.NoClosedForm):
    ufm.minimum(**settings, weight_decays=(product,), feature_decay=0.999)


@pytest.mark.parametrize('bias', [False, True])
def test_minority_classes_merge_at_the_predicted_decay(bias):
  counts = (20, 5, 20, 5, 5)
  threshold = 5 / sum(counts) ** 2
  for factor in (0.99, 1.01):
    exact = ufm.minimum(
      counts, (8,), (threshold * factor,), 1.0, bias=bias, loss='ce'
    )
    minority = exact.logit_means[:, [1, 3, 4]]
    merged = np.ptp(minority, axis=1).max() < 1e-9
    assert merged == (factor > 1)
    assert np.ptp(exact.logit_means[:, [0, 2]], axis=1).max() > 1


def test_thresholds_of_two_classes():
  table = {2: 0.253925, 3: 0.201467, 4: 0.171722, 6: 0.135150}
  for depth, expected in table.items():
    assert ufm.two_class_threshold(depth) == pytest.approx(expected, abs=1e-6)
    for factor in (0.999, 1.001):
      decay = (expected * factor) ** (depth + 1) / 5
      exact = ufm.minimum(
        (8, 2), (3,) * depth, (1.0,) * (depth - 1) + (decay,), 1.0, loss='ce'
      )
      assert exact.collapsed.all() == (factor > 1)


@pytest.mark.parametrize(
  ['num_classes', 'depth', 'kappa', 'ranks'],
  [
    (3, 2, 0.173484, (2, 1)),
    (3, 2, 0.194186, (1, 0)),
    (3, 3, 0.131977, (2, 1)),
    (3, 4, 0.147623, (1, 0)),
    (3, 6, 0.081642, (2, 1)),
    (4, 2, 0.0117605, (3, 2)),
  ],
)
def test_where_the_simplex_etf_stops_being_the_minimum(
  num_classes, depth, kappa, ranks
):
  for factor, rank in zip((0.9999, 1.0001), ranks, strict=True):
    exact = ufm.minimum(
      (4,) * num_classes,
      (num_classes,) * depth,
      (1.0,) * depth,
      (kappa * factor) ** (depth + 1) / 4,
      loss='ce',
    )
    assert exact.status == 'search'
    assert np.count_nonzero(exact.singular_values) == rank


@pytest.mark.parametrize(
  'changes',
  [
    dict(class_counts=(9, 4, 2), bias=True, bias_decay=0.1),
    dict(class_counts=(9, 4, 2), loss='ce'),
    dict(class_counts=(9, 4, 4), dims=(3,), weight_decays=(0.01,), loss='ce')
    | dict(dims=(1,)),
    dict(class_counts=(9, 4, 4), loss='ce'),
    dict(loss='ce', bias=True),
    dict(loss='ce', dims=(3, 1)),
    dict(class_counts=(3,) * 7, loss='ce'),
    dict(class_counts=(9, 4), loss='ce', bias=True),
  ],
)
def test_unknown_minima_are_refused_and_what_to_run_is_named(changes):
  settings = dict(
    class_counts=(3, 3, 3),
    dims=(3, 3),
    weight_decays=(0.01, 0.01),
    feature_decay=0.01,
  )
  with pytest.raises(ufm.NoClosedForm, match='hafjax.ufm.optimise'):
    ufm.minimum(**settings | changes)


@pytest.mark.parametrize(
  ['changes', 'message'],
  [
    (dict(class_counts=(3,)), 'two or more classes'),
    (dict(class_counts=(3, 0)), 'at least 1'),
    (dict(dims=(3,)), 'an entry per layer'),
    (dict(dims=(3, 0)), 'widths of at least 1'),
    (dict(feature_decay=0.0), 'no minimum'),
    (dict(weight_decays=(0.01, math.nan)), 'no minimum'),
    (dict(bias_decay=0.1), 'set bias=True'),
    (dict(bias=True, bias_decay=-1.0), 'at least 0'),
    (dict(loss='hinge'), "'hinge'"),
  ],
)
def test_bad_settings_are_explained(changes, message):
  settings = dict(
    class_counts=(3, 3, 3),
    dims=(3, 3),
    weight_decays=(0.01, 0.01),
    feature_decay=0.01,
  )
  with pytest.raises(ValueError, match=message):
    ufm.minimum(**settings | changes)


def test_the_example_of_the_module_runs():
  assert doctest.testmod(ufm).failed == 0


# --- Published figures -------------------------------------------------------


def predictions(figures, family):
  """(the figures of a setting, its closed form) for all of a family."""
  for name in sorted(figures):
    if not name.startswith(f'{family}/') or not name.endswith('/counts'):
      continue
    folder = name.removesuffix('counts')
    get = {
      key.removeprefix(folder): value
      for key, value in figures.items()
      if key.startswith(folder)
    }
    counts, depth = get['counts'].tolist(), int(get['M'])
    decay = float(get['lambda_w'])
    yield (
      get,
      ufm.minimum(
        counts,
        (len(counts),) * depth,
        (decay,) * depth,
        float(get['lambda_h']),
      ),
    )


def test_published_predictions(reference):
  cases = list(predictions(reference('deep_linear'), 'pred'))
  assert len(cases) >= 24
  for get, exact in cases:
    assert exact.objective == pytest.approx(get['loss_min'], abs=1e-12)
    lengths = np.sqrt(np.diag(exact.classifier_gram))
    np.testing.assert_allclose(lengths, get['sv_product_global'], atol=1e-6)
    for values in exact.layer_singular_values:
      np.testing.assert_allclose(values, get['s_global'], atol=1e-6)


def test_published_small_minima(reference):
  cases = list(predictions(reference('deep_linear'), 'tiny'))
  assert len(cases) == 7
  for get, exact in cases:
    assert exact.objective == pytest.approx(get['loss_numeric'], abs=1e-12)
    for gram, key in (
      (exact.classifier_gram, 'WWt'),
      (exact.class_mean_gram, 'HtH'),
    ):
      np.testing.assert_allclose(gram, get[f'{key}_theory'], atol=1e-6)
      np.testing.assert_allclose(gram, get[f'{key}_numeric'], atol=1e-6)


def published_run(figures, name, steps):
  """The published training, repeated by `optimise`, and its closed form."""

  def get(key):
    return figures[f'synth/{name}/{key}']

  depth, order = int(get('M')), np.argsort(get('y'), kind='stable')
  counts = get('counts').tolist()
  bias = np.zeros(len(counts)) if 'bias' in name else None
  weights = tuple(get(f'W{layer}_init') for layer in range(depth))
  settings = dict(
    class_counts=counts,
    dims=(16,) * depth,
    weight_decays=(float(get('lambda_w')),) * depth,
    feature_decay=float(get('lambda_h')),
    bias=bias is not None,
  )
  found = ufm.optimise(
    **settings,
    start=(weights, get('H0').T[:, order], bias),
    method='gd',
    learning_rate=float(get('lr')),
    steps=steps,
    tolerance=0.0,
  )
  return found, ufm.minimum(**settings), get, order


@pytest.mark.parametrize(
  'name',
  [
    pytest.param('imb_M1', marks=pytest.mark.slow),
    pytest.param('imb_M2', marks=pytest.mark.slow),
    'imb_M3',
    pytest.param('bal_M2', marks=pytest.mark.slow),
    pytest.param('bal_bias_M1', marks=pytest.mark.slow),
    'bal_bias_M2',
  ],
)
def test_published_training_is_repeated_step_by_step(name, reference):
  figures = reference('deep_linear')
  found, exact, get, order = published_run(figures, name, steps=20)
  np.testing.assert_allclose(found.history, get('losses'), rtol=1e-12)
  np.testing.assert_allclose(found.features.T, get('H_step')[order], atol=1e-6)
  for layer, weights in enumerate(found.weights):
    np.testing.assert_allclose(weights, get(f'W{layer}_step'), atol=1e-12)
  # One of the long runs ended at a level that is not the lowest.
  lowest = get('loss_final') == pytest.approx(exact.objective, abs=1e-9)
  assert lowest == (name != 'imb_M3')
  assert get('loss_final') > exact.objective - 1e-9


# --- Direct optimisation -----------------------------------------------------

# Programs are compiled by shape: 20 samples of 4 classes, two settings, and
# whatever sizes, decays and seed.
SHAPE = dict(dims=(8, 8), starts=15)


def reached(names, starts=30):
  """Several acceptance rows of one shape, by direct optimisation."""
  rows = [acceptance()[name] for name in names]
  settings = settings_of(rows[0])
  settings['class_counts'] = rows[0]['class_counts']
  found = ufm.optimise(
    **settings
    | dict(
      weight_decays=np.array([row['weight_decays'] for row in rows]),
      feature_decay=np.array([row['feature_decay'] for row in rows]),
      bias_decay=np.array([row['bias_decay'] or 0.0 for row in rows]),
    ),
    starts=starts,
  )
  for number, row in enumerate(rows):
    value = row['objective']
    assert found.objective[number] == pytest.approx(value, rel=1e-4)
    assert found.objective[number] > value - 1e-9
    assert found.objectives[number].min() > value - 1e-9
    assert found.gradient[number] <= 1e-9
    logits = functools.reduce(
      lambda x, w: w @ x,
      [weights[number] for weights in found.weights],
      found.features[number],
    )
    np.testing.assert_allclose(
      np.linalg.svd(logits, compute_uv=False),
      np.sort(row['singular_values'])[::-1],
      atol=1e-5,
    )
    if row['zero_objective'] is not None:
      assert found.zero_objective[number] == pytest.approx(
        row['zero_objective'], abs=1e-9
      )
  return found


def test_search_finds_the_etf_and_antipodal_pairs():
  found = reached(('P25', 'P26'), starts=15)
  # Where pairs are lowest, some starts end at the ETF: a spurious level.
  etf = acceptance()['P26']['etf_objective']
  assert np.isclose(found.objectives[1], etf, atol=1e-9).any()


def test_search_finds_minima_of_the_squared_error():
  found = reached(('P02', 'P04'), starts=15)
  # Where zero is lowest, starts end on higher levels, as many as classes.
  levels = np.unique(found.objectives[1].round(9))
  assert len(levels) > 1


@pytest.mark.slow
def test_search_finds_minima_with_a_bias():
  reached(('P05', 'P08'), starts=15)


@pytest.mark.slow
@pytest.mark.parametrize('name', ROWS)
def test_search_finds_every_acceptance_row(name):
  reached((name,))


decays = st.floats(0.003, 0.12)


@pytest.mark.slow
@hypothesis.settings(max_examples=10)
@hypothesis.given(
  st.lists(st.integers(1, 17), min_size=3, max_size=3),
  st.lists(st.tuples(decays, decays, decays), min_size=2, max_size=2),
  st.integers(0, 1000),
)
def test_search_never_ends_below_the_closed_form(cuts, table, seed):
  counts = np.diff([0, *sorted(cuts), 20])
  counts = np.maximum(counts, 1)
  counts[np.argmax(counts)] -= counts.sum() - 20
  table = np.array(table)
  found = ufm.optimise(
    counts.tolist(),
    weight_decays=table[:, :2],
    feature_decay=table[:, 2],
    seed=seed,
    **SHAPE,
  )
  for row, (first, second, last) in enumerate(table):
    exact = ufm.minimum(counts.tolist(), (8, 8), (first, second), last)
    assert found.objectives[row].min() > exact.objective - 1e-10
    assert found.zero_objective[row] == pytest.approx(0.5)
    assert found.zero_objective[row] > exact.objective - 1e-12


def test_search_sees_the_smallest_class_collapse():
  counts = (8, 6, 4, 2)
  product = ufm.minimum(counts, (8, 8), (0.01,) * 2, 0.01).collapse_at[-1]
  decay = (product * np.array([0.8, 1.25])) ** (1 / 3)
  found = ufm.optimise(
    counts,
    weight_decays=np.stack([decay] * 2, axis=1),
    feature_decay=decay,
    **SHAPE,
  )
  for row, alive in enumerate((4, 3)):
    exact = ufm.minimum(counts, (8, 8), (decay[row],) * 2, decay[row])
    assert np.count_nonzero(exact.singular_values) == alive
    assert found.objective[row] == pytest.approx(exact.objective, abs=1e-9)
    means = found.features[row][:, np.cumsum(counts) - 1]
    np.testing.assert_allclose(
      means.T @ means, exact.class_mean_gram, atol=1e-6
    )
    # NC1: features of a class are equal, exactly.
    spread = found.features[row] - np.repeat(means, counts, axis=1)
    assert np.abs(spread).max() < 1e-6


def small_settings():
  return dict(
    class_counts=(2, 1, 1),
    dims=(3,),
    weight_decays=(0.02,),
    feature_decay=0.03,
    method='gd',
    steps=30,
  )


def test_settings_together_are_settings_alone():
  table = np.array([[0.02], [0.05]])
  together = ufm.optimise(
    **small_settings() | dict(weight_decays=table), starts=3, seed=4
  )
  for row in range(2):
    alone = ufm.optimise(
      **small_settings() | dict(weight_decays=table[row]), starts=3, seed=4
    )
    jax.tree.map(
      lambda one, many: np.testing.assert_allclose(one, many[row], atol=1e-12),  # noqa: B023
      alone,
      together,
    )
  assert together.history.shape == (2, 31)
  assert together.history[0, -1] < together.history[0, 0]
  assert together.history[0, -1] == together.objective[0]


def test_measures_are_those_of_the_points_on_the_way():
  rng = np.random.default_rng(0)
  start = ((rng.standard_normal((3, 3)),), rng.standard_normal((3, 4)), None)
  settings = small_settings() | dict(start=start)
  found = ufm.optimise(
    **settings,
    measure=lambda point: dict(first=point[0][0], total=point[1].sum()),
    measure_at=(0, 7, 7, 100),
  )
  assert found.measures['total'].shape == (4,)
  for slot, steps in enumerate((0, 7, 7, 30)):
    there = ufm.optimise(**settings | dict(steps=steps))
    first, total = there.weights[0], there.features.sum()
    np.testing.assert_allclose(found.measures['first'][slot], first, atol=1e-12)
    np.testing.assert_allclose(found.measures['total'][slot], total, atol=1e-12)


def test_measures_have_an_axis_of_settings():
  found = ufm.optimise(
    **small_settings() | dict(weight_decays=np.array([[0.02], [0.05]])),
    starts=2,
    measure=lambda point: point[1],
    measure_at=(3, 30),
  )
  assert found.measures.shape == (2, 2, 3, 4)
  np.testing.assert_array_equal(found.measures[:, -1], found.features)
  assert ufm.optimise(**small_settings()).measures is None


@pytest.mark.parametrize('name', ['P15', 'P07', 'P25'])
def test_collapse_by_layer_is_zero_at_a_minimum_alone(name, x64):
  settings = settings_of(acceptance()[name])
  exact = ufm.minimum(**settings)
  measure = jax.jit(ufm.collapse_by_layer(exact, settings['class_counts']))
  found = measure((exact.weights, exact.features, exact.bias))
  for values in found.values():
    assert values.shape == (len(exact.weights),)
    np.testing.assert_allclose(values, 0, atol=1e-7)
  rng = np.random.default_rng(0)
  weights = list(exact.weights)
  weights[-1] = weights[-1] + 0.1 * rng.standard_normal(weights[-1].shape)
  moved = measure((weights, exact.features, exact.bias))
  # Of the last matrix, all classifiers are made, and no features.
  assert min(moved['nc2_classifier'].min(), moved['nc3'].min()) > 1e-3
  np.testing.assert_allclose(moved['nc2_means'], 0, atol=1e-7)
  features = exact.features + 0.1 * rng.standard_normal(exact.features.shape)
  moved = measure((exact.weights, features, exact.bias))
  assert min(moved['nc1'].min(), moved['nc2_means'].min()) > 1e-3
  np.testing.assert_allclose(moved['nc2_classifier'], 0, atol=1e-7)


@pytest.mark.parametrize('name', ['P15', 'P07', 'P18', 'P22'])
def test_predictions_are_of_the_minimum(name):
  settings = settings_of(acceptance()[name])
  exact, found = ufm.minimum(**settings), ufm.predictions(**settings)
  assert len(found) == len(settings['dims'])
  np.testing.assert_allclose(found[0].means, exact.class_mean_gram, atol=1e-12)
  np.testing.assert_allclose(found[0].rows, exact.classifier_gram, atol=1e-12)
  last = exact.weights[-1] @ exact.weights[-1].T
  np.testing.assert_allclose(found[-1].rows, last, atol=1e-12)
  for layer in found:
    np.testing.assert_allclose(layer.products, exact.logit_means, atol=1e-12)


def test_predictions_do_not_grow_with_examples():
  settings = dict(dims=(8, 8), weight_decays=(1e-4,) * 2)
  small = ufm.predictions([3, 2], feature_decay=1e-4, **settings)
  large = ufm.predictions(
    [3 * 10**9, 2 * 10**9], feature_decay=1e-13, **settings
  )
  for one, other in zip(small, large, strict=True):
    np.testing.assert_allclose(one.products, other.products, rtol=1e-9)


def test_single_precision_is_near():
  double = ufm.optimise(**small_settings(), starts=3)
  single = ufm.optimise(**small_settings(), starts=3, dtype=np.float32)
  assert double.features.dtype == np.float64
  assert single.features.dtype == np.float32
  np.testing.assert_allclose(single.objectives, double.objectives, rtol=1e-5)


def test_an_exact_minimiser_is_a_start_that_stays():
  settings = small_settings() | dict(class_counts=(2, 1, 1))
  exact = ufm.minimum(
    **{k: v for k, v in settings.items() if k not in ('method', 'steps')}
  )
  found = ufm.optimise(
    **settings, start=(exact.weights, exact.features, exact.bias)
  )
  np.testing.assert_array_equal(found.features, exact.features)
  assert np.isnan(found.zero_objective)


@pytest.mark.parametrize(
  ['changes', 'message'],
  [
    (dict(loss='hinge'), "'hinge'"),
    (dict(method='adam'), "'adam'"),
    (dict(dims=()), 'dims'),
    (dict(dims=(3, 3)), 'entry per layer'),
    (dict(weight_decays=(-0.1,)), 'at least 0'),
    (dict(starts=0, start=None), 'starts'),
    (dict(bias=True, loss=lambda f, y: f), 'function'),
    (dict(start=((np.ones((3, 4)),), np.ones((3, 4)), None)), 'shapes'),
    (dict(bias=True), 'shapes'),
    (dict(learning_rate=1e60), 'learning_rate'),
    (dict(learning_rate=1e60, start=None), 'learning_rate'),
  ],
)
def test_bad_searches_are_explained(changes, message):
  start = ((np.ones((3, 3)),), np.ones((3, 4)), None)
  with pytest.raises(ValueError, match=message):
    ufm.optimise(**small_settings() | dict(start=start) | changes)


def test_objective_refuses_what_does_not_fit():
  weights, features = [jnp.ones((3, 2))], jnp.ones((2, 4))
  with pytest.raises(ValueError, match='follow each other'):
    ufm.objective(weights, features, None, (2, 1), [0.1], 0.1)
  with pytest.raises(ValueError, match='a decay per layer'):
    ufm.objective(weights, features, None, (2, 1, 1), [], 0.1)
  with pytest.raises(ValueError, match="'hinge'"):
    ufm.objective(weights, features, None, (2, 1, 1), [0.1], 0.1, loss='hinge')


# --- Fixed classifiers -------------------------------------------------------

HOMOGENEOUS = Hierarchy.from_paths(
  [('r', a, a + b, a + b + c) for a in 'ab' for b in 'abc' for c in 'ab']
)


def test_features_under_a_fixed_classifier_ignore_class_sizes():
  frame = frames.orthogonal_frame(4, 5, lengths=np.array([1.0, 2, 0.5, 1]))
  counts, decay = (8, 6, 4, 2), 0.01
  found = ufm.optimise(
    counts,
    (5,),
    (),
    decay,
    loss=ufm.fixed_classifier(frame, 'mse'),
    method='gd',
    learning_rate=1.0,
  )
  # Ridge regression, sample by sample.
  solution = np.linalg.solve(
    frame.T @ frame + sum(counts) * decay * np.eye(5), frame.T
  )
  np.testing.assert_allclose(
    found.features, np.repeat(solution, counts, axis=1), atol=1e-7
  )


@pytest.mark.parametrize('name', [f'X{number:02}' for number in range(1, 11)])
def test_minima_under_a_fixed_classifier(name):
  row = acceptance('unconstrained_features')[name]
  num_classes, loss = len(row['class_counts']), row['loss']
  if row['frame'] == 'simplex_etf':
    frame = frames.simplex_etf(num_classes)
  else:
    tree = HOMOGENEOUS
    if row['tree'] != 'homogeneous (2, 3, 2)':
      tree = load_hierarchy(row['tree'])
    separation = frames.min_similarity(tree, row['gamma'])
    assert separation == pytest.approx(row['min_similarity'], abs=1e-9)
    frame = frames.haframe(tree, row['gamma'])
  options = dict(lengths=1.0) if loss == 'dot_regression' else {}
  if 'alpha' in row:
    options['alpha'] = row['alpha']
  # Examples do not meet, so one of each class is enough.
  found = ufm.optimise(
    (1,) * num_classes,
    (frame.shape[1],),
    (),
    row['feature_decay'] * row['class_counts'][0],
    loss=ufm.fixed_classifier(
      row.get('temperature', 1.0) * frame, loss, **options
    ),
  )
  assert found.objective == pytest.approx(row['objective'], abs=1e-9)
  norms = np.linalg.norm(found.features, axis=0)
  np.testing.assert_allclose(norms, row['feature_norms'], atol=1e-6)
  cosines = np.sum(frame.T * found.features, axis=0) / norms
  np.testing.assert_allclose(cosines, row['cosines'], atol=1e-6)


def test_features_of_fixed_norm_come_to_lie_on_the_frame():
  frame = frames.simplex_etf(4, 3, seed=1)
  counts = (8, 6, 4, 2)
  found = ufm.optimise(
    counts,
    (3,),
    (),
    0.0,
    loss=ufm.fixed_classifier(frame, 'haframe', alpha=0.4),
    feature_norm=3.0,
    starts=2,
    method='gd',
  )
  expected = np.repeat(3 * frame.T, counts, axis=1)
  np.testing.assert_allclose(found.features, expected, atol=1e-6)


@pytest.mark.parametrize(
  ['loss', 'options'],
  [
    ('ce', {}),
    ('mse', {}),
    ('haframe', dict(alpha=0.4)),
    ('dot_regression', dict(lengths=2.0)),
  ],
)
def test_fixed_losses_are_those_of_the_logits_and_of_the_library(loss, options):
  rng = np.random.default_rng(0)
  frame = frames.simplex_etf(3, 4)
  features = rng.standard_normal((6, 4)).astype(np.float32)
  labels = np.array([0, 0, 0, 1, 1, 2])
  function = jax.jit(ufm.fixed_classifier(frame, loss, **options))
  found = function(features, labels)
  if loss in ('ce', 'mse'):
    # The learned classifier's objective, without decays.
    mean = ufm.objective(
      [jnp.asarray(frame, jnp.float32)],
      features.T,
      None,
      (3, 2, 1),
      [0.0],
      0.0,
      loss=loss,
    )
    assert found.shape == (6,)
    assert float(found.mean()) == pytest.approx(float(mean), rel=1e-6)
  else:
    function = getattr(losses, f'{loss}_loss')
    expected = function(
      jnp.asarray(features), jnp.asarray(frame, jnp.float32), labels, **options
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.usefixtures('unchecked')
def test_an_unknown_fixed_loss_is_answered_with_the_known_ones():
  with pytest.raises(ValueError, match='dot_regression'):
    ufm.fixed_classifier(np.eye(3), 'hinge')
