# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every method, on even and on ragged trees: it learns, and scores classes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from hafjax import losses
from hafjax import methods
from hafjax import ufm
from hafjax.hierarchy import Hierarchy
from hafjax.models.outputs import HeadOutputs

TREES = {
  'even': Hierarchy.from_paths(
    ['r/a/x', 'r/a/y', 'r/b/z', 'r/b/w', 'r/c/v', 'r/c/u']
  ),
  'ragged': Hierarchy.from_paths(
    ['r/a/x', 'r/b/c/d/y', 'r/z', 'r/b/c/w', 'r/a/v', 'r/b/u']
  ),
}


# Those that are compared, and all.
COMPARED = [n for n, v in methods.variants().items() if v.is_compared]
ALL = list(methods.variants())


def context_for(tree, neck='transform', kind='lca_height', **changes):
  values = dict(
    hierarchy=tree,
    distances=tree.distances(kind),
    kind=kind,
    feature_dim=None,
    class_counts=np.arange(1, tree.num_classes + 1),
    seed=0,
    neck=neck,
  )
  return methods.MethodContext(**values | changes)


def config_of(variant):
  return dict(common.get_config(variant).method)


@pytest.mark.parametrize(
  'tree, kind',
  # The kinds are the same on even trees.
  [('even', 'lca_height'), ('ragged', 'lca_height'), ('ragged', 'lca_depth')],
)
@pytest.mark.parametrize('variant', COMPARED)
def test_steps_lower_the_loss(variant, tree, kind):
  """Of features and head, by plain gradient descent."""
  tree, config = TREES[tree], config_of(variant)
  context = context_for(tree, kind=kind)
  method = methods.build(context, **config)
  labels = jnp.arange(tree.num_classes)
  features = jax.random.normal(
    jax.random.key(0), (tree.num_classes, method.feature_dim)
  )
  variables = method.head.init(jax.random.key(1), features)
  params = variables.pop('params', {})

  @jax.jit
  def step(features, params):
    def mean_loss(features, params):
      outputs = method.head.apply({'params': params, **variables}, features)
      loss = method.loss(outputs, labels, 0.5)
      assert loss.shape == labels.shape
      return loss.mean(), method.scores(outputs)

    (loss, scores), gradients = jax.value_and_grad(
      mean_loss, (0, 1), has_aux=True
    )(features, params)
    moved = jax.tree.map(
      lambda x, g: x - 0.1 * g, (features, params), gradients
    )
    return loss, scores, moved

  history = []
  for _ in range(30):
    loss, scores, (features, params) = step(features, params)
    history.append(float(loss))
  assert np.isfinite(history).all()
  assert history[1] < history[0] and history[-1] < history[1]
  assert scores.shape == (tree.num_classes,) * 2 and np.isfinite(scores).all()


@pytest.mark.parametrize('variant', ALL)
def test_features_without_a_direction_are_harmless(variant):
  """Zeros, as from dead units, some or all; and very long ones."""
  tree, config = TREES['ragged'], config_of(variant)
  context = context_for(tree)
  method = methods.build(context, **config)
  labels = jnp.arange(tree.num_classes)
  shape = (tree.num_classes, method.feature_dim)
  random = jax.random.normal(jax.random.key(0), shape)
  variables = method.head.init(jax.random.key(1), random)
  params = variables.pop('params', {})

  @jax.jit
  @functools.partial(jax.value_and_grad, argnums=(0, 1))
  def gradients(features, params):
    outputs = method.head.apply({'params': params, **variables}, features)
    scores = method.scores(outputs)
    return method.loss(outputs, labels, 0.5).mean() + 0 * scores.sum()

  for features in (0 * random, random.at[::2].set(0), 1e4 * random):
    found = gradients(features, params)
    for array in jax.tree.leaves(found):
      assert np.isfinite(array).all()


# --- Parameters --------------------------------------------------------------


@pytest.mark.parametrize(
  'config, message',
  [
    (dict(name='cross_entropy', label_smoothing=1.0), r'in \[0, 1\), got 1.0'),
    (dict(name='soft_labels', beta=-1.0), 'beta must be at least 0'),
    (dict(name='hace', leaf_weight=2.0), r'must be in \(0, 1\], got 2.0'),
    (dict(name='soft_max_margin', margin='wide'), "'distance' or 'incorrect'"),
    (dict(name='devise', margin=0.0), 'margin must be positive'),
    (dict(name='etf_dr', lengths='all'), 'one of batch, train'),
    (dict(name='deep_linear', depth=0), 'depth must be at least 1'),
    (dict(name='deep_linear', loss='l1'), "got 'l1'"),
    (dict(name='deep_linear', weight_decay=0.0), 'Without a positive decay'),
    (
      dict(name='haframe', gamma=1.0, alpha=0.4, schedule='odd'),
      "no mixing schedule 'odd'",
    ),
  ],
)
def test_bad_parameters_are_told_when_built(config, message):
  context = context_for(TREES['even'])
  with pytest.raises((methods.MethodError, losses.LossError), match=message):
    methods.build(context, **config)


def test_cross_entropy_of_features_needs_a_feature_a_class():
  config = dict(name='barz_denzler', cross_entropy_weight=0.1)
  context = context_for(TREES['even'], feature_dim=9)
  with pytest.raises(methods.MethodError, match='6 dimensions, .* got 9'):
    methods.build(context, **config)


def test_devise_reads_vectors(tmp_path):
  tree, file = TREES['even'], tmp_path / 'words.npy'
  vectors = np.random.default_rng(0).standard_normal((6, 11))
  np.save(file, vectors)
  config = dict(name='devise', embeddings=str(file))
  method = methods.build(context_for(tree), **config)
  assert method.feature_dim == 11
  outputs, _ = method.head.init_with_output(jax.random.key(0), vectors)
  np.testing.assert_allclose(
    jnp.diag(method.scores(outputs)), np.ones(6), rtol=1e-6
  )
  with pytest.raises(methods.MethodError, match='11 dimensions and features'):
    methods.build(context_for(tree, feature_dim=6), **config)


@pytest.mark.parametrize(
  'content, message',
  [
    (None, 'cannot be read'),
    (np.ones((5, 3)), 'a row for each of the 6 classes, got .* shape \\(5, 3'),
    (np.eye(6) * np.arange(6), 'row 0 \\(x\\) is not'),
    (np.array(['a'] * 6), 'cannot be read'),
  ],
)
def test_bad_files_of_vectors(tmp_path, content, message):
  file = tmp_path / 'words.npy'
  if content is not None:
    np.save(file, content)
  config = dict(name='devise', embeddings=str(file))
  with pytest.raises(methods.MethodError, match=message):
    methods.build(context_for(TREES['even']), **config)


def test_label_smoothing():
  tree = TREES['even']
  context = context_for(tree)
  method = methods.build(context, name='cross_entropy', label_smoothing=0.3)
  logits = jax.random.normal(jax.random.key(0), (4, 6))
  labels = jnp.asarray([0, 5, 2, 2])
  log_probs = jax.nn.log_softmax(logits)
  wanted = -(
    0.7 * log_probs[jnp.arange(4), labels] + 0.3 * log_probs.mean(axis=1)
  )
  np.testing.assert_allclose(
    method.loss(HeadOutputs(logits, logits), labels, 0.0), wanted, rtol=1e-5
  )


def test_dot_regression_lengthens_the_vectors_of_rare_classes():
  tree = TREES['even']
  context = context_for(tree)
  found = {}
  for lengths in ('train', 'batch'):
    method = methods.build(context, name='etf_dr', lengths=lengths)
    features = jnp.ones((6, 6))
    outputs, _ = method.head.init_with_output(jax.random.key(0), features)
    frame = np.asarray(outputs.frame.vectors)
    loss = method.loss(outputs, jnp.arange(6), 0.0)
    error = (frame @ np.ones(6)) / 6**0.5 - 1
    found[lengths] = np.asarray(loss) / (0.5 * error**2)
  # Classes of 1 to 6 examples, 3.5 in the mean; one of each in the batch.
  np.testing.assert_allclose(found['train'], 3.5 / np.arange(1, 7), rtol=1e-5)
  np.testing.assert_allclose(found['batch'], np.ones(6), rtol=1e-5)


@pytest.mark.parametrize('depth, bias', [(1, False), (1, True), (3, False)])
def test_deep_linear_is_the_objective_of_free_features(depth, bias):
  tree = TREES['even']
  counts = (
    np.full(tree.num_classes, 4) if bias else np.arange(2, tree.num_classes + 2)
  )
  config = dict(
    name='deep_linear',
    depth=depth,
    width=9 if depth > 1 else None,
    bias=bias,
    weight_decay=5e-3,
    feature_decay=1e-3,
  )
  context = context_for(tree, class_counts=counts, feature_dim=11)
  method = methods.build(context, **config)
  exact = ufm.minimum(
    counts.tolist(),
    dims=(11,) + (9,) * (depth - 1),
    weight_decays=(5e-3,) * depth,
    feature_decay=1e-3,
    bias=bias,
  )
  params = {
    f'linear{layer}': dict(kernel=kernel.T)
    for layer, kernel in enumerate(exact.weights, 1)
  }
  if bias:
    params[f'linear{depth}']['bias'] = exact.bias
  labels = np.repeat(np.arange(tree.num_classes), counts)

  def mean_loss(params, features):
    outputs = method.head.apply({'params': params}, features)
    return method.loss(outputs, labels, 0.5).mean(), outputs

  (loss, outputs), gradients = jax.value_and_grad(
    mean_loss, (0, 1), has_aux=True
  )(params, exact.features.T)
  assert float(loss) == pytest.approx(exact.objective, rel=1e-5)
  for gradient in jax.tree.leaves(gradients):
    np.testing.assert_allclose(gradient, 0, atol=1e-5)

  # What is predicted, layer by layer, is this point.
  means = {'features': outputs.features, **outputs.intermediates}
  rows = {k: v.weights for k, v in outputs.classifiers.items()}
  assert list(method.predicted) == list(means) and len(means) == depth
  first = np.unique(labels, return_index=True)[1]
  for layer, predicted in method.predicted.items():
    gaps = predicted.gaps(rows[layer], means[layer][first])
    for gap in gaps.values():
      assert gap < 1e-4


def test_deep_linear_predicts_nothing_where_theory_does_not():
  config = dict(name='deep_linear', loss='ce', depth=2)
  assert not methods.build(context_for(TREES['even']), **config).predicted
