# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses on trees: published figures, and the definitions node by node."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from hafjax import losses
from hafjax.hierarchy import Hierarchy
from tests import strategies

EVEN = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/z', 'r/b/w', 'r/b/v'])
RAGGED = Hierarchy.from_paths(['r/a/x', 'r/b/c/d/y', 'r/z', 'r/b/c/w', 'r/a/v'])


def mean_and_gradient(loss, *arguments):
  """Mean of a loss over examples, and its gradient in the first argument."""
  first, *rest = map(jnp.asarray, arguments)
  return jax.jit(jax.value_and_grad(lambda x: loss(x, *rest).mean()))(first)


def test_soft_labels(reference, x64):
  figures = reference('soft_labels')
  for i, beta in enumerate(figures['betas']):
    table = losses.soft_labels(figures['distance'], beta)
    np.testing.assert_allclose(table, figures['soft_labels'][i], rtol=1e-12)
    value, gradient = mean_and_gradient(
      losses.soft_label_loss, figures['logits'], figures['labels'], table
    )
    # The published mean is over classes as well.
    np.testing.assert_allclose(value, figures['loss_batchmean'][i], rtol=1e-9)
    np.testing.assert_allclose(value / 100, figures['loss'][i], rtol=1e-9)
    np.testing.assert_allclose(
      gradient / 100, figures['grad'][i], rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize('case', ['a', 'b'])
def test_hierarchical_cross_entropy(reference, x64, case):
  figures = reference('hxe')
  tree = Hierarchy.from_paths(figures[f'{case}_paths'].tolist())
  for i, alpha in enumerate(figures[f'{case}_alphas']):
    value, gradient = mean_and_gradient(
      lambda z, y, alpha=float(alpha): losses.hierarchical_cross_entropy(
        z, y, tree, alpha
      ),
      figures[f'{case}_logits'],
      figures[f'{case}_labels'],
    )
    np.testing.assert_allclose(value, figures[f'{case}_loss'][i], rtol=1e-9)
    np.testing.assert_allclose(
      gradient, figures[f'{case}_grad'][i], rtol=1e-6, atol=1e-13
    )


def test_conditional_softmax(reference, x64):
  figures = reference('yolo')
  tree = Hierarchy.from_paths(figures['paths'].tolist())
  names = figures['node_names'].tolist()
  # Ours are in the tree's order, theirs in the order of their names.
  order = [names.index(name) for name in tree.node_names]
  logits = jnp.asarray(figures['logits'])[:, order]
  labels = jnp.asarray(
    [tree.class_names.index(names[label]) for label in figures['labels']]
  )
  classes = [names.index(name) for name in tree.class_names]
  np.testing.assert_allclose(
    jnp.exp(
      jax.jit(lambda z: losses.conditional_softmax_log_probs(z, tree))(logits)
    ),
    figures['leaf_probabilities'][:, classes],
    rtol=1e-9,
  )
  for i, alpha in enumerate(figures['alphas']):
    value, gradient = mean_and_gradient(
      lambda z, alpha=float(alpha): losses.conditional_softmax_loss(
        z, labels, tree, alpha
      ),
      logits,
    )
    np.testing.assert_allclose(value, figures['loss'][i], rtol=1e-9)
    np.testing.assert_allclose(
      gradient, figures['grad'][i][:, order], rtol=1e-6, atol=1e-13
    )


# --- Definitions, node by node -----------------------------------------------


def nodes_on_path(tree, label):
  """From the root to the label's leaf."""
  return [node for node in tree.path_table[label] if node >= 0]


def by_definition(name, logits, label, tree):
  """A loss of one example, from its formula, in plain Python."""
  path = nodes_on_path(tree, label)
  is_under = tree.ancestor_matrix()  # [K, N]
  if name in ('hxe', 'hace'):
    probs = special.softmax(logits) @ is_under
    if name == 'hxe':
      return -sum(
        np.exp(-0.3 * depth) * np.log(probs[node] / probs[path[depth - 1]])
        for depth, node in enumerate(path)
        if depth
      )
    weights, left = {}, 1.0
    for node in path[:0:-1]:
      weights[node] = 0.6 * left
      left *= 0.4
    weights[path[0]] = left
    assert sum(weights.values()) == pytest.approx(1)
    return -sum(w * np.log(probs[node]) for node, w in weights.items())
  children = [np.flatnonzero(tree.parents == n) for n in range(tree.num_nodes)]
  if name == 'yolo':
    return -sum(
      np.log(special.softmax(logits[children[above]]))[
        children[above].tolist().index(node)
      ]
      for above, node in zip(path, path[1:], strict=False)
    )
  if name == 'sigmoid':
    return sum(
      -np.log(special.expit(logits[child] * (1 if child in path else -1)))
      for node in path
      for child in children[node]
    )
  if name == 'descendant':
    return -sum(np.log(special.softmax(logits)[node]) for node in path)
  cost = np.zeros(tree.num_nodes)
  for node in range(tree.num_nodes):
    other = [node]
    while other[-1]:
      other.append(tree.parents[other[-1]])
    shared = len(set(other) & set(path))
    distance = len(path) + len(other) - 2 * shared
    cost[node] = distance if name == 'margin' else node not in path
  return special.logsumexp(logits + 0.7 * cost) - logits[path[-1]]


OURS = {
  'hxe': lambda z, y, tree: losses.hierarchical_cross_entropy(
    z, y, tree, 0.3, normalise=False
  ),
  'hace': lambda z, y, tree: losses.hace_loss(z, y, tree, 0.6),
  'yolo': lambda z, y, tree: losses.conditional_softmax_loss(
    z, y, tree, normalise=False
  ),
  'sigmoid': losses.conditional_sigmoid_loss,
  'descendant': losses.soft_max_descendant_loss,
  'margin': lambda z, y, tree: losses.soft_max_margin_loss(
    z, y, tree, 'distance', 0.7
  ),
  'incorrect': lambda z, y, tree: losses.soft_max_margin_loss(
    z, y, tree, 'incorrect', 0.7
  ),
}
OF_CLASSES = ('hxe', 'hace')


def arguments(name, tree, seed=0):
  """Logits for every class as the label."""
  width = tree.num_classes if name in OF_CLASSES else tree.num_nodes
  rng = np.random.default_rng(seed)
  return 2 * rng.standard_normal((tree.num_classes, width))


@hypothesis.settings(max_examples=6)
@hypothesis.given(tree=strategies.trees(max_nodes=14))
def test_definitions(tree):
  logits = {name: arguments(name, tree) for name in OURS}
  labels = np.arange(tree.num_classes)

  # All at once, for each tree is compiled anew.
  @jax.jit
  def everything(logits):
    return {n: OURS[n](z, jnp.asarray(labels), tree) for n, z in logits.items()}

  with jax.enable_x64(True):
    found = everything(logits)
  for name in OURS:
    wanted = [
      by_definition(name, z, y, tree) for y, z in enumerate(logits[name])
    ]
    np.testing.assert_allclose(
      found[name], wanted, rtol=1e-9, atol=1e-12, err_msg=name
    )


@pytest.mark.parametrize('tree', [EVEN, RAGGED], ids=['even', 'ragged'])
@pytest.mark.parametrize('name', OURS)
def test_hopeless_examples_keep_a_gradient(name, tree):
  width = tree.num_classes if name in OF_CLASSES else tree.num_nodes
  first = 0 if name in OF_CLASSES else int(tree.leaves[0])
  logits = jnp.zeros((2, width)).at[:, first].set(jnp.asarray([-2e3, 2e3]))
  labels = jnp.asarray([0, 1])

  @jax.jit
  def both(logits):
    values, transpose = jax.vjp(lambda z: OURS[name](z, labels, tree), logits)
    return values, transpose(jnp.ones_like(values))[0]

  values, gradient = both(logits)
  assert values.shape == (2,) and np.isfinite(values).all()
  assert np.isfinite(gradient).all()
  assert np.abs(gradient[0]).max() > 0.1


def test_conditional_probabilities():
  logits = 3 * jax.random.normal(jax.random.key(0), (4, RAGGED.num_nodes))
  log_probs = losses.conditional_softmax_log_probs(logits, RAGGED)
  np.testing.assert_allclose(jnp.exp(log_probs).sum(1), 1.0, rtol=1e-5)
  apart = jnp.exp(losses.conditional_sigmoid_log_probs(logits, RAGGED))
  wanted = [
    [
      np.prod(special.expit(row[nodes_on_path(RAGGED, label)[1:]]))
      for label in range(5)
    ]
    for row in np.asarray(logits)
  ]
  np.testing.assert_allclose(apart, wanted, rtol=1e-5)


def test_special_cases_are_cross_entropy():
  logits = jax.random.normal(jax.random.key(0), (5, 5))
  labels = jnp.arange(5)
  wanted = -jnp.diag(jax.nn.log_softmax(logits))
  for loss in (
    lambda z, tree: losses.hierarchical_cross_entropy(
      z, labels, tree, 0.0, False
    ),
    lambda z, tree: losses.hace_loss(z, labels, tree, leaf_weight=1.0),
  ):
    for tree in (EVEN, RAGGED):
      found = jax.jit(loss, static_argnums=1)(logits, tree)
      np.testing.assert_allclose(found, wanted, rtol=1e-5)
  # Sharp soft labels are one-hot ones.
  table = losses.soft_labels(EVEN.distances(), 1e3)
  np.testing.assert_allclose(
    losses.soft_label_loss(logits, labels, table), wanted, rtol=1e-5
  )


@pytest.mark.usefixtures('unchecked')
@pytest.mark.parametrize(
  'make, message',
  [
    (lambda: losses.soft_labels(EVEN.distances(), -1), 'at least 0, got -1'),
    (
      lambda: losses.hace_loss(jnp.zeros((1, 5)), jnp.zeros(1, int), EVEN, 0.0),
      r'in \(0, 1\], got 0.0',
    ),
    (
      lambda: losses.soft_max_margin_loss(
        jnp.zeros((1, 8)), jnp.zeros(1, int), EVEN, 'hard'
      ),
      "'distance' or 'incorrect', got 'hard'",
    ),
  ],
)
def test_errors(make, message):
  with pytest.raises(ValueError, match=message):
    make()
