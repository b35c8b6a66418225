# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hier-COS: published figures, and the definitions with dense masks."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from hafjax import losses
from hafjax import methods
from hafjax.data import load_dataset
from hafjax.hierarchy import Hierarchy
from hafjax.losses import hier_cos
from hafjax.models import level_heads
from hafjax.train import step as step_lib
from hafjax.train.forward import outputs_of
from hafjax.train.setup import frame_of
from hafjax.train.setup import initial_state
from hafjax.train.setup import make_experiment
from tests import helpers
from tests import strategies

RAGGED = Hierarchy.from_paths(['r/a/x', 'r/b/c/d/y', 'r/z', 'r/b/c/w', 'r/a/v'])


class Case:
  """A case of the published figures, and how its order of nodes becomes ours.

  `order` has their coordinate for each of ours.
  """

  def __init__(self, figures, name):
    self.figures, self.name = figures, name
    self.structure = name.split('_')[0]
    names = figures[f'{self.structure}/node_labels'].tolist()
    parents = figures[f'{self.structure}/node_parent']
    self.tree = Hierarchy.from_parents(
      np.concatenate([[-1], parents + 1]),
      ['the root', *names],
      figures[f'{self.structure}/classes'].tolist(),
    )
    self.order = np.array([names.index(n) for n in self.tree.node_names[1:]])

  def __getitem__(self, key):
    return self.figures[f'{self.name}/{key}']

  def nodes(self, key):
    """Values of coordinates, in our order."""
    return self[key][:, self.order]


CASES = ['cifar', 'tiered', 'tiered_shallow']


def by_definition(z, y, tree, alpha, without=()):
  """The published loss in NumPy; `without` levels' first kind of example."""
  magnitudes = np.abs(z)
  log_probs = special.log_softmax(magnitudes, axis=1)
  path = tree.path_table[y]
  divergence, rest = 0.0, 0.0
  for i in range(len(y)):
    nodes = [node for node in path[i, 1:] if node >= 0]
    weights = np.exp(2 / (len(nodes) - np.arange(len(nodes))))
    for node, share in zip(nodes, weights / weights.sum(), strict=True):
      divergence += share * (np.log(share) - log_probs[i, node - 1]) / len(y)
  for level in range(1, tree.height + 1):
    block, kinds = tree.levels[level], ([], [])
    for i in range(len(y)):
      a = magnitudes[i, block.start - 1 : block.stop - 1]
      if path[i, level] >= 0:
        one_hot = np.arange(block.start, block.stop) == path[i, level]
        kinds[0].append(np.abs(one_hot - a / np.linalg.norm(a)).sum())
      else:
        kinds[1].append(a.sum())
    if kinds[0] and level not in without:
      rest += np.mean(kinds[0])
    if kinds[1]:
      rest += np.mean(kinds[1])
  return divergence + alpha * rest, divergence, rest


@pytest.mark.parametrize('name', CASES)
def test_loss(reference, x64, name):
  case = Case(reference('hiercos'), name)
  y, alpha = jnp.asarray(case['y']), float(case['alpha'])
  z = jnp.asarray(case.nodes('logits'))

  def mean(z, alpha):
    return hier_cos.hier_cos_loss(z, y, case.tree, alpha).mean()

  compiled = jax.jit(jax.value_and_grad(mean))
  value, gradient = compiled(z, alpha)
  np.testing.assert_allclose(value, case['loss'], rtol=1e-9)
  np.testing.assert_allclose(
    gradient, case.nodes('grad_logits'), rtol=1e-6, atol=1e-14
  )
  divergence, gradient = compiled(z, 0.0)
  np.testing.assert_allclose(divergence, case['l_kl'], rtol=1e-9)
  np.testing.assert_allclose((value - divergence) / alpha, case['l_aux'], 1e-9)
  if name != 'tiered_shallow':
    np.testing.assert_allclose(
      gradient, case.nodes('grad_logits_kl'), rtol=1e-6, atol=1e-14
    )


@pytest.mark.parametrize('name', ['cifar', 'tiered'])
def test_through_the_head(reference, x64, name):
  case = Case(reference('hiercos'), name)
  head = level_heads.HierCos(case.tree, None)
  variables = dict(frame=dict(basis=jnp.asarray(case['Q'][case.order])))

  @jax.jit
  def mean(features):
    outputs = head.apply(variables, features)
    loss = hier_cos.hier_cos_loss(
      outputs['node_logits'], jnp.asarray(case['y']), case.tree, case['alpha']
    )
    return loss.mean(), outputs

  features = jnp.asarray(case['features'], jnp.float64)
  gradient, outputs = jax.grad(mean, has_aux=True)(features)
  assert set(outputs) == {'features', 'logits', 'node_logits'}
  np.testing.assert_allclose(
    outputs['node_logits'], case.nodes('logits'), rtol=1e-6, atol=1e-12
  )
  np.testing.assert_allclose(outputs['logits'], case['leaf_scores'], rtol=1e-9)
  np.testing.assert_allclose(
    gradient, case['grad_features'], rtol=1e-6, atol=1e-13
  )


@pytest.mark.parametrize('name', ['cifar', 'tiered'])
def test_scores_and_level_predictions(reference, x64, name):
  case = Case(reference('hiercos'), name)
  scores, node_scores, predictions = jax.jit(
    lambda z: (
      hier_cos.hier_cos_scores(z, case.tree),
      hier_cos.hier_cos_node_scores(z, case.tree),
      hier_cos.hier_cos_level_predictions(z, case.tree),
    )
  )(case.nodes('logits'))
  np.testing.assert_allclose(scores, case['leaf_scores'], rtol=1e-9)
  np.testing.assert_allclose(
    node_scores, case.nodes('level_node_scores'), rtol=1e-9
  )
  path = case.tree.path_table[case['y'], 1:]
  there = path >= 0
  hits = (predictions == path) & there
  accuracy = np.where(
    there.any(0), hits.sum(0) / np.maximum(there.sum(0), 1), 1
  )
  np.testing.assert_allclose(accuracy, case['level_accuracy'], rtol=1e-12)
  np.testing.assert_allclose(
    (hits | ~there).all(axis=1).mean(), case['fpa_subspace'][0], rtol=1e-12
  )


def test_targets(reference):
  for name in ('cifar', 'tiered'):
    case = Case(reference('hiercos'), name)
    np.testing.assert_allclose(
      hier_cos._path_targets(case.tree), case['node_prob'], rtol=1e-12
    )


def test_the_published_loss_drops_a_level_whose_labels_are_all_0(
  reference, x64
):
  """Which we do not; without that term, their figure is ours."""
  case = Case(reference('hiercos'), 'cifar_zero_level')
  z, y, alpha = case.nodes('logits'), case['y'], float(case['alpha'])
  first_labels = case.figures['cifar/leaf_level_labels'][y, 0]
  assert (first_labels == 0).all()
  ours = jax.jit(
    lambda z: hier_cos.hier_cos_loss(z, jnp.asarray(y), case.tree, alpha)
  )(z)
  whole, divergence, _ = by_definition(z, y, case.tree, alpha)
  np.testing.assert_allclose(ours.mean(), whole, rtol=1e-12)
  published, _, rest = by_definition(z, y, case.tree, alpha, without=[1])
  np.testing.assert_allclose(published, case['loss'], rtol=1e-9)
  np.testing.assert_allclose(divergence, case['l_kl'], rtol=1e-9)
  np.testing.assert_allclose(rest, case['l_aux'], rtol=1e-9)
  assert ours.mean() > published + 1e-3


@hypothesis.settings(max_examples=5)
@hypothesis.given(strategies.trees(max_nodes=20))
def test_by_definition(tree):
  rng = np.random.default_rng(0)
  z = rng.standard_normal((5, tree.num_nodes - 1))
  y = rng.integers(0, tree.num_classes, 5)

  @jax.jit
  def everything(z):
    return (
      hier_cos.hier_cos_loss(z, jnp.asarray(y), tree, 0.3),
      hier_cos.hier_cos_scores(z, tree),
      hier_cos.hier_cos_node_scores(z, tree),
      hier_cos.hier_cos_level_predictions(z, tree),
    )

  with jax.enable_x64(True):
    loss, scores, node_scores, predictions = jax.device_get(everything(z))
  assert loss.shape == (5,)
  wanted, _, _ = by_definition(z, y, tree, 0.3)
  np.testing.assert_allclose(loss.mean(), wanted, rtol=1e-12)
  # Masks of subspaces: on the way to the class; and to and from the node.
  ancestors = np.eye(tree.num_nodes, dtype=bool)
  for node in range(1, tree.num_nodes):
    ancestors[node] |= ancestors[tree.parents[node]]
  wanted = np.sqrt(z**2 @ ancestors[tree.leaves, 1:].T)
  np.testing.assert_allclose(scores, wanted, rtol=1e-12)
  wanted = np.sqrt(z**2 @ (ancestors | ancestors.T)[1:, 1:])
  np.testing.assert_allclose(node_scores, wanted, rtol=1e-12)
  assert predictions.shape == (5, tree.height)
  for level in range(tree.height):
    chosen = np.asarray(predictions[:, level])
    there = tree.node_depths[1:] == level + 1
    assert there[chosen - 1].all()
    best = np.where(there, wanted, -1).max(axis=1)
    np.testing.assert_allclose(wanted[range(5), chosen - 1], best)


def test_extremes_have_finite_gradients():
  z = np.random.default_rng(0).standard_normal((4, RAGGED.num_nodes - 1))
  z[0] = 0
  y = jnp.asarray([0, 1, 2, 2])

  @jax.jit
  @jax.value_and_grad
  def total(z):
    loss = hier_cos.hier_cos_loss(z, y, RAGGED, 0.05)
    scores = hier_cos.hier_cos_scores(z, RAGGED)
    nodes = hier_cos.hier_cos_node_scores(z, RAGGED)
    return loss.sum() + scores.sum() + nodes.sum()

  # From 1e20 on, squares overflow.
  for scale in (0.0, 1e-30, 1e-10, 1.0, 1e4, 1e18):
    value, gradient = total(jnp.float32(scale * z))
    assert np.isfinite(value) and np.isfinite(gradient).all(), scale


def test_wrong_widths_are_told():
  for function in (
    lambda z: hier_cos.hier_cos_loss(z, jnp.zeros(1, int), RAGGED, 0.05),
    lambda z: hier_cos.hier_cos_scores(z, RAGGED),
  ):
    with pytest.raises(losses.LossError, match='9 nodes .* have 10 dim'):
      function(jnp.zeros((1, RAGGED.num_nodes)))


# --- As a method -------------------------------------------------------------


def experiment_of(**changes):
  config = helpers.tiny_config('cross_entropy', **changes)
  with config.unlocked():
    config.method = dict(name='hier_cos')
  data = load_dataset(config)
  return data, make_experiment(config, data)


def test_the_method_trains_and_keeps_its_basis():
  data, experiment = experiment_of(top='linear')
  state = jax.jit(lambda: initial_state(experiment, data.image_shape))()
  dim = data.hierarchy.num_nodes - 1
  basis = np.asarray(state.variables['frame']['classifier']['basis'])
  np.testing.assert_allclose(basis @ basis.T, np.eye(dim), atol=1e-5)
  assert 'classifier' not in state.params
  arrays = data.splits['train'].take(np.arange(0, 240, 8))
  images, labels = arrays.images, jnp.asarray(arrays.labels)
  step = jax.jit(lambda s, x, y: step_lib.train_step(s, x, y, experiment))
  found = []
  for _ in range(8):
    state, sums = step(state, images, labels)
    found.append(float(sums['loss'] / sums['count']))
  assert found[-1] < found[0]
  np.testing.assert_array_equal(
    state.variables['frame']['classifier']['basis'], basis
  )
  # The basis is no frame of class vectors, to be compared with features.
  outputs = jax.eval_shape(lambda s: outputs_of(s, images, experiment), state)
  assert 'frame' not in outputs and frame_of(state) is None


@pytest.mark.parametrize('change', [{'top': 'pool'}, {'feature_dim': 30}])
def test_the_method_needs_its_width(change):
  with pytest.raises(methods.MethodError, match='leave feature_dim alone and'):
    experiment_of(**{'top': 'transform', **change})


def test_the_method_needs_a_weight():
  task = methods.MethodContext(
    RAGGED, RAGGED.distances(), None, 8, np.ones(5, int), 0
  )
  with pytest.raises(methods.MethodError, match='alpha must be at least 0'):
    methods.build(task, name='hier_cos', alpha=-1.0)
