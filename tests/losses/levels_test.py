# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A classifier per level: published figures, and the definitions in loops."""

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
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy.levels import level_maps
from hafjax.losses import levels
from hafjax.models import level_heads
from hafjax.train import step as step_lib
from hafjax.train.setup import Setup
from hafjax.train.state import initial_state
from tests import helpers
from tests import strategies

RAGGED = Hierarchy.from_paths(['r/a/x', 'r/b/c/y', 'r/z', 'r/b/c/w', 'r/a/v'])


def mean_and_gradients(head, params, features, loss):
  """Mean loss, its gradients in parameters and features, and all outputs."""

  def mean(params, features):
    outputs = head.apply({'params': params}, features)
    return loss(outputs).mean(), outputs

  function = jax.value_and_grad(mean, argnums=(0, 1), has_aux=True)
  (value, outputs), gradients = jax.jit(function)(params, features)
  return value, gradients, outputs


class Case:
  """A case of the published figures, rows turned to our order of labels."""

  def __init__(self, figures, name):
    self.figures, self.name = figures, name
    self.tree = load_hierarchy('cifar100')
    maps = level_maps(self.tree)
    ids = figures['tree'][:, ::-1]  # Levels 1 to 5.
    assert (ids[:, -1] == np.arange(100)).all()
    self.order = []
    for level, labels in enumerate(maps.labels):
      _, first = np.unique(labels, return_index=True)
      order = ids[first, level]
      np.testing.assert_array_equal(order[labels], ids[:, level])
      self.order.append(order)

  def __getitem__(self, key):
    return self.figures[f'{self.name}/{key}']

  def __contains__(self, key):
    return f'{self.name}/{key}' in self.figures

  def rows(self, key):
    """Arrays of all levels, rows in our order, in float64."""
    return [
      np.asarray(self[f'{key}{level}'], np.float64)[order]
      for level, order in enumerate(self.order, 1)
    ]

  def check_rows(self, found, key, **tolerance):
    for level, order in enumerate(self.order, 1):
      np.testing.assert_allclose(
        found[level - 1], self[f'{key}{level}'][order], **tolerance
      )

  def check_logits(self, found):
    for level, order in enumerate(self.order, 1):
      np.testing.assert_allclose(
        found[level - 1], self[f'logits{level}'][:, order], rtol=1e-9
      )


# --- Flamingo ----------------------------------------------------------------


@pytest.mark.parametrize('name', ['wide512', 'haframe100'])
def test_flamingo(reference, x64, name):
  case = Case(reference('flamingo'), name)
  weights, biases = case.rows('W'), case.rows('b')
  params = {
    f'level{level}': dict(
      kernel=jnp.asarray(weights[level - 1].T), bias=jnp.asarray(b)
    )
    for level, b in enumerate(biases, 1)
  }
  head = level_heads.Flamingo((2, 4, 8, 20, 100))
  value, (in_params, in_features), outputs = mean_and_gradients(
    head,
    params,
    jnp.asarray(case['x'], jnp.float64),
    lambda outputs: levels.flamingo_loss(
      outputs.extras['level_logits'], jnp.asarray(case['y']), case.tree
    ),
  )
  np.testing.assert_allclose(value, case['loss'], rtol=1e-9)
  np.testing.assert_allclose(outputs.logits, case['output'], rtol=1e-9)
  case.check_logits(outputs.extras['level_logits'])
  np.testing.assert_allclose(in_features, case['grad_x'], rtol=1e-6, atol=1e-14)
  found = [in_params[f'level{level}'] for level in range(1, 6)]
  case.check_rows([g['bias'] for g in found], 'grad_b', rtol=1e-6, atol=1e-14)
  # Stored in float32.
  case.check_rows(
    [g['kernel'].T for g in found], 'grad_W', rtol=1e-6, atol=1e-12
  )


def test_flamingo_slices():
  assert level_heads._cuts(512, 5) == [0, 102, 204, 306, 409, 512]
  assert level_heads._cuts(100, 5) == [0, 20, 40, 60, 80, 100]
  assert level_heads._cuts(3, 3) == [0, 1, 2, 3]
  with pytest.raises(ValueError, match='have 2 dimensions, .* 3 levels'):
    level_heads.Flamingo((2, 3, 4)).init(jax.random.key(0), jnp.ones((1, 2)))


# --- HAFeature ---------------------------------------------------------------

HAF_CASES = ['wide512', 'haframe100', 'small', 'same_top']


def hafeature_terms(log_probs, y, maps, orders):
  """Per level, coarse to fine: divergences, and means over pairs."""
  jsd, dissimilarity = [], []
  for i, parents in enumerate(maps.parents):
    summed = levels._log_sum_children(log_probs[i + 1], parents, maps.sizes[i])
    first, second = levels._divergences(log_probs[i], summed)
    jsd.append(jnp.mean(first + second) / 2)
    labels = jnp.asarray(maps.labels[i])[y[orders[i]]]
    dissimilarity.append(
      levels._similarity_of_pairs(log_probs[i][orders[i]], labels, 256, 3.0)
    )
  return jnp.stack(jsd), jnp.stack(dissimilarity)


@pytest.mark.parametrize('name', HAF_CASES)
def test_hafeature(reference, x64, name):
  case = Case(reference('hafeature'), name)
  maps, y = level_maps(case.tree), jnp.asarray(case['y'])
  orders = jnp.asarray(case['shuffle_order'], jnp.int32)
  params = {}
  for level, rows in enumerate(case.rows('W'), 1):
    params[f'weights{level}'] = jnp.asarray(rows)
  for level, bias in enumerate(case.rows('b'), 1):
    params[f'bias{level}'] = jnp.asarray(bias)
  head = level_heads.LevelClassifiers(maps.sizes)

  # One compilation for all.
  @jax.jit
  def everything(params, features):
    def mean(params, features):
      outputs = head.apply({'params': params}, features)
      level_logits = outputs.extras['level_logits']
      loss = levels.hafeature_loss(
        level_logits, outputs.extras['level_weights'], y, case.tree, orders
      )
      log_probs = [jax.nn.log_softmax(logits) for logits in level_logits]
      terms = hafeature_terms(log_probs, y, maps, orders)
      return loss.mean(), (outputs, terms)

    return jax.value_and_grad(mean, argnums=(0, 1), has_aux=True)(
      params, features
    )

  (value, (outputs, terms)), (in_params, in_features) = everything(
    params, jnp.asarray(case['x'], jnp.float64)
  )
  np.testing.assert_allclose(value, case['loss'], rtol=1e-9)
  case.check_logits(outputs.extras['level_logits'])
  np.testing.assert_allclose(
    special.softmax(outputs.logits, axis=1), case['output'], rtol=1e-9
  )
  np.testing.assert_allclose(in_features, case['grad_x'], rtol=1e-6, atol=1e-13)
  found = [in_params[f'bias{level}'] for level in range(1, 6)]
  case.check_rows(found, 'grad_b', rtol=1e-6, atol=1e-13)
  assert ('grad_W1' in case) == (name == 'haframe100')
  if 'grad_W1' in case:
    found = [in_params[f'weights{level}'] for level in range(1, 6)]
    case.check_rows(found, 'grad_W', rtol=1e-6, atol=1e-12)  # Of float32.
  jsd, dissimilarity = map(np.asarray, terms)
  np.testing.assert_allclose(jsd[::-1], case['jsd'], rtol=1e-9)
  np.testing.assert_allclose(dissimilarity[::-1], case['dissim'], rtol=1e-9)
  cross_entropy = losses_of(outputs.logits, case['y']).mean()
  np.testing.assert_allclose(cross_entropy, case['ce'][0], rtol=1e-9)
  # What is left is the cosines of weights.
  rest = cross_entropy + sum(jsd) + sum(dissimilarity) - np.asarray(value)
  np.testing.assert_allclose(rest, case['wcons'].sum(), rtol=1e-9)


@pytest.mark.parametrize('name', HAF_CASES)
def test_pairs_of_hafeature(reference, name):
  case = Case(reference('hafeature'), name)
  maps = level_maps(case.tree)
  for i, order in enumerate(case['shuffle_order'].astype(int)):
    counts = np.asarray(
      levels.pair_counts(maps.labels[i][case['y'][order]], 256)
    )
    # The walk of the published code, slot by slot.
    kept = np.flatnonzero(counts)
    pairs = np.full((256, 2), -1)
    for slot in range(counts.sum()):
      neighbour = kept[slot % len(kept)]
      pairs[slot] = order[neighbour], order[neighbour + 1]
    np.testing.assert_array_equal(pairs, case['pairs'][i])


def losses_of(logits, labels):
  """Cross-entropies in NumPy."""
  logits = np.asarray(logits)
  return special.logsumexp(logits, axis=1) - logits[range(len(labels)), labels]


def draw(tree, seed=0, batch=6, dim=5):
  rng = np.random.default_rng(seed)
  sizes = level_maps(tree).sizes
  logits = [2 * rng.standard_normal((batch, size)) for size in sizes]
  weights = [rng.standard_normal((size, dim)) for size in sizes]
  return logits, weights, rng.integers(0, tree.num_classes, batch)


def cosine(a, b):
  norms = np.linalg.norm(a) * np.linalg.norm(b)
  return 0.0 if norms < 1e-12 else a @ b / norms


def hafeature_by_definition(logits, weights, y, tree, num_pairs, margin):
  """The mean loss, in loops; walks the batch in its own order."""

  def kl(p, m):
    return float(special.xlogy(p, p / np.clip(m, 1e-7, 1)).sum())

  probs = [special.softmax(z, axis=1) for z in logits]
  units = [w / np.linalg.norm(w, axis=1, keepdims=True) for w in weights]
  total = losses_of(logits[-1], y).mean()
  for level in range(1, tree.height):
    above, here = tree.level_labels(level), tree.level_labels(level + 1)
    summed = np.zeros_like(probs[level - 1])
    below = np.zeros_like(units[level - 1])
    for child in range(probs[level].shape[1]):
      parent = above[list(here).index(child)]
      summed[:, parent] += probs[level][:, child]
      below[parent] += units[level][child]
    for p, q in zip(probs[level - 1], summed, strict=True):
      total += (kl(p, (p + q) / 2) + kl(q, (p + q) / 2)) / 2 / len(y)
    total -= np.mean(
      [cosine(a, b) for a, b in zip(units[level - 1], below, strict=True)]
    )
    walk = [
      (j, j + 1) for j in range(len(y) - 1) if above[y[j]] != above[y[j + 1]]
    ]
    pairs = (walk * len(y))[:num_pairs]
    slots = [2 * margin] * (num_pairs - len(pairs))
    for first, second in pairs:
      p, q = probs[level - 1][first], probs[level - 1][second]
      slots += [
        max(margin - kl(p, (p + q) / 2), 0)
        + max(margin - kl(q, (p + q) / 2), 0)
      ]
    total += np.mean(slots) / 2
  return total


@hypothesis.settings(max_examples=5)
@hypothesis.given(strategies.trees(max_nodes=15))
def test_both_losses_by_definition(tree):
  logits, weights, y = draw(tree)
  # With so many slots some stay empty; such a margin switches off somewhere.
  options = [(50, 3.0), (3, 0.2)]

  @jax.jit
  def both(logits, weights, y):
    found = [
      levels.hafeature_loss(
        logits, weights, y, tree, num_pairs=num_pairs, margin=margin
      )
      for num_pairs, margin in options
    ]
    return found, levels.flamingo_loss(logits, y, tree)

  with jax.enable_x64(True):
    haf, flamingo = jax.device_get(both(logits, weights, y))
  for found, (num_pairs, margin) in zip(haf, options, strict=True):
    assert found.shape == y.shape
    wanted = hafeature_by_definition(
      logits, weights, y, tree, num_pairs, margin
    )
    np.testing.assert_allclose(found.mean(), wanted, rtol=1e-9)
  wanted = sum(
    losses_of(z, tree.level_labels(level)[y])
    for level, z in enumerate(logits, 1)
  )
  np.testing.assert_allclose(flamingo, wanted, rtol=1e-12)


def test_order_of_the_batch_is_the_default():
  logits, weights, y = draw(RAGGED, batch=7)
  own = np.tile(np.arange(7), (2, 1))
  function = jax.jit(
    lambda order: levels.hafeature_loss(logits, weights, y, RAGGED, order)
  )
  np.testing.assert_array_equal(function(own), function(None))
  assert not np.allclose(function(own), function(own[:, [0, 2, 1, 5, 6, 4, 3]]))


@pytest.mark.parametrize('batch', [1, 2, 5])
def test_extremes_have_finite_gradients(batch):
  logits, weights, y = draw(RAGGED, batch=batch)
  y[:2] = y[0]  # No pair at all in the smaller batches.

  @jax.jit
  @jax.value_and_grad
  def total(args):
    logits, weights = args
    haf = levels.hafeature_loss(logits, weights, y, RAGGED)
    return (haf + levels.flamingo_loss(logits, y, RAGGED)).sum()

  for scale in (0.0, 1e-30, 1.0, 1e4, 1e18):
    args = [
      [jnp.float32(scale * x) for x in part] for part in (logits, weights)
    ]
    for leaf in jax.tree.leaves(total(args)):
      assert np.isfinite(leaf).all(), scale


@pytest.mark.usefixtures('unchecked')
def test_wrong_arguments_are_told():
  logits, weights, y = draw(RAGGED)
  with pytest.raises(losses.LossError, match=r'\(3, 4, 5\) columns, got \(4'):
    levels.flamingo_loss(logits[1:], y, RAGGED)
  with pytest.raises(losses.LossError, match=r'\(3, 4, 5\) rows, got \(5, 4'):
    levels.hafeature_loss(logits, weights[::-1], y, RAGGED)
  for option in ({'num_pairs': 0}, {'margin': -1.0}):
    with pytest.raises(losses.LossError, match=f'{next(iter(option))} must be'):
      levels.hafeature_loss(logits, weights, y, RAGGED, **option)


# --- As methods --------------------------------------------------------------


@pytest.mark.parametrize('name', ['flamingo', 'hafeature'])
def test_methods_train(name):
  config = helpers.tiny_config('cross_entropy', top='linear')
  with config.unlocked():
    config.method = dict(name=name)
  data = load_dataset(config)
  setup = Setup.create(config, data)
  state = jax.jit(lambda: initial_state(setup))()
  arrays = data.splits['train'].take(np.arange(0, 240, 8))
  step = jax.jit(lambda s, x, y: step_lib.train_step(s, x, y, setup))
  found = []
  for _ in range(8):
    state, sums = step(state, arrays.images, jnp.asarray(arrays.labels))
    found.append(float(sums['loss'] / sums['count']))
  assert found[-1] < found[0]
  outputs = jax.jit(setup.network.apply, static_argnames='train')(
    {'params': state.params, **state.variables},
    jnp.zeros((2, *data.image_shape)),
    train=False,
  )
  sizes = level_maps(data.hierarchy).sizes
  assert outputs.features.dtype == np.float32
  assert outputs.logits.shape == (2, 30)
  assert tuple(z.shape[1] for z in outputs.extras['level_logits']) == sizes
  for weights in outputs.extras.get('level_weights', ()):
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1, rtol=1e-5)


def test_methods_check_their_parameters():
  tree = load_hierarchy('cifar100')

  def task(dim):
    return methods.MethodContext(
      tree, tree.distances(), 'lca_height', dim, np.ones(100, int), 0
    )

  with pytest.raises(ValueError, match='margin must be at least 0'):
    methods.build(task(100), name='hafeature', margin=-1.0)
  with pytest.raises(ValueError, match='too few to cut'):
    methods.build(task(4), name='flamingo')
