# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import functools
import time

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import decisions
from hafjax import metrics
from hafjax.hierarchy import Hierarchy
from tests import strategies

KINDS = ('lca_height', 'lca_depth')
# Five classes at depths 1, 2 and 3; 'one' has a single child.
RAGGED = Hierarchy.from_paths(
  ['r/a', 'r/in/b', 'r/in/deep/c', 'r/one/d', 'r/in/deep/e']
)


def random_probs(tree, size, seed, zeros=True):
  """Rows of class probabilities; some classes get none at all."""
  rng = np.random.default_rng(seed)
  weights = rng.gamma(0.5, size=(size, tree.num_classes)) + 1e-3
  if zeros:
    weights *= rng.random(weights.shape) < 0.7
    weights[np.arange(size), rng.integers(0, tree.num_classes, size)] += 0.1
  return weights / weights.sum(axis=1, keepdims=True)


def paths_of(tree):
  """For each class its nodes, leaf first, by following parents."""
  found = []
  for node in tree.leaves.tolist():
    nodes = [node]
    while tree.parents[nodes[-1]] >= 0:
      nodes.append(int(tree.parents[nodes[-1]]))
    found.append(nodes)
  return found


def hie_by_loops(probs, tree, coarse, level):
  """Of one example; returns also the ancestors, in order of appearance."""
  ancestors = []
  for nodes in paths_of(tree):
    depth = len(nodes) - 1
    above = 1 if level is None else max(depth - level, 0)
    ancestors.append(nodes[above])
  order = list(dict.fromkeys(ancestors))
  if coarse is None:
    coarse = [
      sum(p for p, a in zip(probs, ancestors, strict=True) if a == node)
      for node in order
    ]
  products = [
    p * coarse[order.index(a)] for p, a in zip(probs, ancestors, strict=True)
  ]
  return np.array(products) / sum(products), order


def climb(row, tree, threshold):
  """The rule in plain Python, for one example."""
  mass = {}
  for p, nodes in zip(row, paths_of(tree), strict=True):
    for node in nodes:
      mass[node] = mass.get(node, 0) + p
  best = max(range(len(row)), key=lambda c: (row[c], -c))
  for node in paths_of(tree)[best]:
    if mass[node] >= threshold - 1e-13 or node == 0:
      return node


def coverage_of(node, tree):
  under = sum(node in nodes for nodes in paths_of(tree))
  classes = tree.num_classes
  return 1 - np.log(under) / np.log(classes) if classes > 1 else 1.0


# Run op by op, a rule compiles each of its operations by itself.
crm_tree = jax.jit(decisions.crm_tree, static_argnames=('hierarchy', 'kind'))
hie = jax.jit(decisions.hie, static_argnames=('hierarchy', 'level'))
selective = jax.jit(decisions.selective, static_argnames='hierarchy')
selective_curve = jax.jit(
  decisions.selective_curve, static_argnames='hierarchy'
)


@functools.partial(jax.jit, static_argnames=('tree', 'level'))
def all_rules(probs, labels, coarse, tree, level, thresholds):
  """Every rule at once: a drawn tree is compiled once, and for all."""
  nodes = jax.vmap(lambda t: decisions.selective(probs, tree, t))(thresholds)
  return dict(
    masses=decisions.node_probabilities(probs, tree),
    crm_tree=[decisions.crm_tree(probs, tree, kind) for kind in KINDS],
    crm=[decisions.crm(probs, tree.distances(kind)) for kind in KINDS],
    hie=[
      decisions.hie(probs, tree, None, level),
      decisions.hie(probs, tree, coarse, level),
    ],
    nodes=nodes,
    coverage=decisions.hierarchical_coverage(nodes, tree),
    curve=decisions.selective_curve(probs, labels, tree, thresholds),
  )


# --- Nodes and least risk ----------------------------------------------------


def test_crm_repeats_the_published_figures(reference, x64):
  figures = reference('crm')
  found = jax.jit(decisions.crm)(figures['probabilities'], figures['cost'])
  np.testing.assert_allclose(-found, figures['risk'], rtol=1e-9)
  order = np.argsort(-np.asarray(found), axis=1, kind='stable')
  np.testing.assert_array_equal(order, figures['order'])


def test_crm_tree_repeats_the_published_ranking(reference, x64):
  figures = reference('crm')
  tree = Hierarchy.from_paths(figures['paths'].tolist())
  np.testing.assert_array_equal(tree.distances(), figures['cost'])
  found = crm_tree(figures['probabilities'], tree)
  _, order = jax.lax.top_k(found, tree.num_classes)
  np.testing.assert_array_equal(order, figures['order'])


@pytest.mark.parametrize('rule', ['dense', 'tree'])
def test_crm_repeats_the_published_metrics(reference, x64, rule):
  figures = reference('mbm_metrics')
  tree = Hierarchy.from_paths(figures['paths'].tolist())
  logits = jnp.asarray(figures['logits'].astype(np.float64))
  probs = jax.nn.softmax(logits)
  if rule == 'dense':
    scores = decisions.crm(probs, figures['distance'])
  else:
    scores = crm_tree(probs, tree)
  found = metrics.hierarchical_metrics(
    scores, figures['labels'], figures['distance'], (1, 5, 20)
  )
  assert 100 * found['top1'] == pytest.approx(float(figures['crm_top1']))
  for name, key in (
    ('mistake_severity', 'crm_mistake'),
    ('hier_dist@1', 'crm_hie_avg_1'),
    ('hier_dist@5', 'crm_hie_avg_5'),
    ('hier_dist@20', 'crm_hie_avg_20'),
  ):
    assert found[name] == pytest.approx(float(figures[key]), rel=1e-9), name


class PublishedTree:
  """A tree of the figures, and our node for each of theirs."""

  def __init__(self, figures, name):
    self.figures, self.name = figures, name
    self.hierarchy = Hierarchy.from_paths(self['paths'].tolist())
    paths = []
    for node, parent in enumerate(self.hierarchy.parents):
      above = [] if parent < 0 else [paths[parent]]
      paths.append('/'.join([*above, self.hierarchy.node_names[node]]))
    self.nodes = np.array([paths.index(path) for path in self['nodes']])

  def __getitem__(self, key):
    return self.figures[f'{self.name}/{key}']


PUBLISHED_TREES = [
  ('node_decisions', 'cifar100'),
  ('node_decisions', 'ragged'),
  ('node_decisions', 'tiered_part'),
  ('selective', 'cifar100'),
  ('selective', 'ragged'),
]


@pytest.mark.parametrize('file, name', PUBLISHED_TREES)
def test_published_node_probabilities(reference, x64, file, name):
  tree = PublishedTree(reference(file), name)
  found = decisions.node_probabilities(tree['probabilities'], tree.hierarchy)
  np.testing.assert_allclose(
    found[:, tree.nodes], tree['node_probabilities'], rtol=1e-9
  )


@pytest.mark.parametrize('name', ['cifar100', 'ragged', 'tiered_part'])
def test_published_classes_of_hie_and_of_least_path_length(
  reference, x64, name
):
  tree = PublishedTree(reference('node_decisions'), name)
  hierarchy, probs = tree.hierarchy, tree['probabilities']
  num_classes = hierarchy.num_classes
  # Their parents have the probability of all classes below, ours in a ragged
  # tree of their own children alone: given, the two are the same.
  parents = list(dict.fromkeys(hierarchy.parents[hierarchy.leaves].tolist()))
  coarse = decisions.node_probabilities(probs, hierarchy)[:, np.array(parents)]
  row = tree['rules'].tolist().index('hie')
  # Their nodes begin with the classes.
  np.testing.assert_array_equal(
    jnp.argmax(hie(probs, hierarchy, coarse), axis=1), tree['answer'][row]
  )
  if name == 'cifar100':
    np.testing.assert_array_equal(
      jnp.argmax(hie(probs, hierarchy), axis=1), tree['answer'][row]
    )
  cost = tree['path_length'][:num_classes].T
  np.testing.assert_array_equal(
    jnp.argmax(decisions.crm(probs, cost), axis=1), tree['derived_crm']
  )


@pytest.mark.parametrize('name', ['cifar100', 'ragged'])
def test_published_selective_answers_and_curve(reference, x64, name):
  tree = PublishedTree(reference('selective'), name)
  hierarchy, probs = tree.hierarchy, tree['probabilities']
  np.testing.assert_allclose(
    decisions.hierarchical_coverage(tree.nodes, hierarchy),
    tree['coverage'],
    rtol=1e-9,
    atol=1e-12,
  )
  # Of nodes with the same classes, in a line, they answer the uppermost.
  counts = np.bincount(hierarchy.path_table[hierarchy.path_table >= 0])
  uppermost = np.arange(hierarchy.num_nodes)
  for node, parent in enumerate(hierarchy.parents):
    if parent >= 0 and counts[parent] == counts[node]:
      uppermost[node] = uppermost[parent]
  for threshold, answer in zip(
    tree['thresholds'], tree['climbing/answer'], strict=True
  ):
    found = selective(probs, hierarchy, threshold)
    np.testing.assert_array_equal(
      uppermost[found], uppermost[tree.nodes[answer]]
    )
  thresholds, risk, coverage = tree['climbing/curve'].T
  found = selective_curve(probs, tree['labels'], hierarchy, thresholds)
  np.testing.assert_allclose(found['risk'], risk, rtol=1e-9, atol=1e-12)
  np.testing.assert_allclose(found['coverage'], coverage, rtol=1e-9, atol=1e-12)
  found = selective_curve(probs, tree['labels'], hierarchy, tree['thresholds'])
  np.testing.assert_allclose(found['risk'], tree['climbing/risk'], rtol=1e-9)
  # Their curve begins at its least coverage, ours at the root.
  least = np.argmin(coverage)
  triangle = coverage[least] * risk[least] / 2
  np.testing.assert_allclose(
    decisions.area_under_risk_coverage(coverage, risk) - triangle,
    tree['climbing/haurc'],
    rtol=1e-9,
  )


def test_crm_takes_rows_of_the_cost_as_true_classes():
  cost = np.array([[0, 3, 1], [1, 0, 1], [7, 2, 0]])
  probs = np.array([[0.5, 0.25, 0.25]])
  expected = -np.array([[0.25 + 1.75, 1.5 + 0.5, 0.5 + 0.25]])
  np.testing.assert_allclose(decisions.crm(probs, cost), expected, rtol=1e-6)


@pytest.mark.parametrize('rule', ['dense', 'tree'])
def test_ties_of_crm_go_to_the_lower_class(rule):
  # An eighth each: without rounding, whatever is summed first.
  probs = jnp.full((1, RAGGED.num_classes), 0.125)
  if rule == 'dense':
    scores = decisions.crm(probs, 1 - np.eye(RAGGED.num_classes))
    expected = [0, 1, 2, 3, 4]
  else:
    # Siblings c and e have the same risk, as do a and d, far from the rest.
    scores = crm_tree(probs, RAGGED, 'lca_depth')
    expected = [2, 4, 1, 0, 3]
  np.testing.assert_array_equal(jax.lax.top_k(scores, 5)[1][0], expected)


def test_gradients_of_crm_tree_are_finite_and_right(x64):
  probs = jnp.asarray(np.vstack([np.eye(5), random_probs(RAGGED, 3, 0)]))
  weights = np.random.default_rng(0).standard_normal(probs.shape)
  for kind in KINDS:

    def total(probs, kind=kind):
      return jnp.sum(weights * crm_tree(probs, RAGGED, kind))

    expected = -weights @ RAGGED.distances(kind).T
    found = jax.jit(jax.grad(total))(probs)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_crm_tree_has_no_table_of_100_000_classes():
  num_classes, width = 100_000, 50
  below = np.arange(num_classes)
  groups = 1 + below // width
  parents = np.concatenate([[-1], np.zeros(2000, int), groups])
  names = ['root', *(f'group {i}' for i in range(2000))]
  names += [f'class {i}' for i in below]
  tree = Hierarchy.from_parents(parents, names)
  probs = random_probs(tree, 2, 0).astype(np.float32)
  crm_tree(probs, tree)  # Compiles.
  started = time.perf_counter()
  found = np.asarray(crm_tree(probs, tree))
  assert time.perf_counter() - started < 2
  assert found.shape == probs.shape and found.dtype == np.float32
  some = np.array([0, 49, 50, 77_777, num_classes - 1])
  cost = np.where(below[:, None] // width == some // width, 1, 2)
  cost[some, np.arange(len(some))] = 0
  expected = -probs.astype(np.float64) @ cost
  np.testing.assert_allclose(found[:, some], expected, atol=1e-5)


# --- Hierarchical ensembles --------------------------------------------------


def test_hie_of_parents_and_levels():
  np.testing.assert_array_equal(
    decisions.coarse_labels(RAGGED), [0, 1, 2, 3, 2]
  )
  for level in range(RAGGED.height + 1):
    np.testing.assert_array_equal(
      decisions.coarse_labels(RAGGED, level), RAGGED.level_labels(level)
    )
  probs = random_probs(RAGGED, 4, 0).astype(np.float32)
  # The root is certain: nothing changes.
  np.testing.assert_allclose(hie(probs, RAGGED, level=0), probs, rtol=1e-6)
  squares = probs**2
  np.testing.assert_allclose(
    hie(probs, RAGGED, level=RAGGED.height),
    squares / squares.sum(axis=1, keepdims=True),
    rtol=1e-5,
  )


def test_hie_where_the_models_have_nothing_in_common():
  probs = jnp.asarray([[1.0, 0, 0, 0, 0], [0.25, 0.75, 0, 0, 0]])
  coarse = jnp.asarray([[0.0, 1, 0, 0], [1, 0, 0, 0]])

  def first(probs):
    return hie(probs, RAGGED, coarse)[:, 0].sum()

  found = hie(probs, RAGGED, coarse)
  np.testing.assert_array_equal(found, [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
  assert np.isfinite(jax.grad(first)(probs)).all()


# --- Selective prediction ----------------------------------------------------


def test_the_extremes_of_selective():
  probs = random_probs(RAGGED, 50, 0, zeros=False).astype(np.float32)
  leaves = RAGGED.leaves[probs.argmax(axis=1)]
  np.testing.assert_array_equal(selective(probs, RAGGED, 0), leaves)
  np.testing.assert_array_equal(selective(probs, RAGGED, 1), 0)
  # Certain answers stand at threshold 1, rounding or not.
  certain = np.eye(5, dtype=np.float32)
  np.testing.assert_array_equal(selective(certain, RAGGED, 1.0), RAGGED.leaves)
  thirds = np.float32([[0, 0.7, 0.2, 0, 0.1], [0, 0.1, 0.3, 0, 0.6]])
  inner = int(RAGGED.parents[RAGGED.leaves[1]])
  np.testing.assert_array_equal(
    selective(thirds * np.float32(1 - 1e-6), RAGGED, 1.0), inner
  )
  # Equal ones: the lower class index.
  half = np.float32([[0, 0.5, 0, 0.5, 0]])
  assert selective(half, RAGGED, 0.5)[0] == RAGGED.leaves[1]


def test_coverage_is_one_at_leaves_and_none_at_the_root():
  every = np.arange(RAGGED.num_nodes)
  coverage = decisions.hierarchical_coverage(every, RAGGED)
  np.testing.assert_allclose(coverage[RAGGED.leaves], 1)
  np.testing.assert_allclose(coverage[0], 0, atol=1e-7)
  # A node of a single class says as much as the class.
  assert coverage[RAGGED.node_names.index('one')] == 1
  lonely = Hierarchy.from_paths(['r/a'])
  np.testing.assert_array_equal(
    decisions.hierarchical_coverage(np.arange(2), lonely), [1, 1]
  )


def test_a_perfect_predictor_has_no_risk():
  probs = random_probs(RAGGED, 20, 0, zeros=False).astype(np.float32)
  best, thresholds = probs.argmax(axis=1), np.linspace(0, 1, 11)
  curve = selective_curve(probs, best, RAGGED, thresholds)
  assert (curve['risk'] == 0).all() and (curve['accuracy'] == 1).all()
  assert curve['coverage'][0] == 1 and curve['coverage'][-1] == 0
  area = decisions.area_under_risk_coverage
  assert area(curve['coverage'], curve['risk']) == 0
  # Half of the labels wrong: so much risk, where all classes are answered.
  best[::2] = (best[::2] + 1) % RAGGED.num_classes
  curve = selective_curve(probs, best, RAGGED, thresholds)
  assert curve['risk'][0] == 0.5 and curve['risk'][-1] == 0
  assert 0 < area(curve['coverage'], curve['risk']) < 0.5


def test_masked_examples_do_not_count():
  probs = random_probs(RAGGED, 20, 0).astype(np.float32)
  labels, mask = np.arange(20) % 5, np.arange(20) < 13
  thresholds = np.linspace(0, 1, 11)
  filled = np.where(mask[:, None], probs, np.nan)
  found = selective_curve(filled, labels, RAGGED, thresholds, mask)
  expected = selective_curve(probs[:13], labels[:13], RAGGED, thresholds)
  for name, values in expected.items():
    np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


def test_area_under_risk_coverage():
  coverage = np.array([1.0, 0.25, 0.5])
  risk = np.array([0.4, 0.0, 0.1])
  expected = 0 + 0.25 * 0.05 + 0.5 * 0.25
  area = jax.jit(decisions.area_under_risk_coverage)
  assert area(coverage, risk) == pytest.approx(expected, rel=1e-6)
  # Certain of everything, and wrong a quarter of the time.
  np.testing.assert_allclose(area(np.ones(3), np.full(3, 0.25)), 0.125)


# --- Drawn trees -------------------------------------------------------------


@hypothesis.given(
  strategies.trees(max_nodes=12), st.data(), st.integers(0, 2**32 - 1)
)
@hypothesis.settings(max_examples=6)
def test_all_rules_against_loops(tree, data, seed):
  levels = [None, *range(tree.height + 1)]
  level = data.draw(st.sampled_from(levels))
  rng = np.random.default_rng(seed)
  probs = random_probs(tree, 6, seed)
  labels = rng.integers(0, tree.num_classes, 6)
  _, ancestors = hie_by_loops(probs[0], tree, None, level)
  coarse = rng.dirichlet(np.ones(len(ancestors)), 6)
  thresholds = np.array([0, 0.2, 0.4, 0.6, 0.9, 1])
  with jax.enable_x64(True):
    found = all_rules(probs, labels, coarse, tree, level, thresholds)
    found = jax.tree.map(np.asarray, found)
  np.testing.assert_allclose(
    found['masses'], probs @ tree.ancestor_matrix(), atol=1e-14
  )
  for sums, dense in zip(found['crm_tree'], found['crm'], strict=True):
    np.testing.assert_allclose(sums, dense, atol=1e-12)
  check_hie(found, tree, probs, coarse, level)
  check_selective(found, tree, probs, labels, thresholds)


def check_hie(found, tree, probs, coarse, level):
  labels = decisions.coarse_labels(tree, level)
  assert labels.dtype == np.int32 and labels.max() + 1 == coarse.shape[1]
  for i, row in enumerate(probs):
    for values, given in zip(found['hie'], (None, coarse[i]), strict=True):
      expected, _ = hie_by_loops(row, tree, given, level)
      np.testing.assert_allclose(values[i], expected, atol=1e-12)


def check_selective(found, tree, probs, labels, thresholds):
  nodes, curve = found['nodes'], found['curve']
  assert nodes.dtype == np.int32
  expected = [[climb(row, tree, t) for row in probs] for t in thresholds]
  np.testing.assert_array_equal(nodes, expected)
  coverage = [[coverage_of(node, tree) for node in row] for row in nodes]
  np.testing.assert_allclose(found['coverage'], coverage, atol=1e-12)
  paths = paths_of(tree)
  right = [
    [n in paths[y] for n, y in zip(row, labels, strict=True)] for row in nodes
  ]
  for name, values in (
    ('threshold', thresholds),
    ('coverage', np.mean(coverage, axis=1)),
    ('accuracy', np.mean(right, axis=1)),
    ('risk', 1 - np.mean(right, axis=1)),
    ('depth', tree.node_depths[nodes].mean(axis=1)),
  ):
    np.testing.assert_allclose(curve[name], values, atol=1e-12, err_msg=name)
  # The more caution, the less is said, and the less is wrong.
  for name in ('coverage', 'risk', 'depth'):
    assert (np.diff(curve[name]) <= 1e-12).all(), name


# --- All rules ---------------------------------------------------------------

THRESHOLDS = np.linspace(0, 1, 5)
LABELS = np.array([0, 1, 2, 3, 4, 0])
RULES = {
  'node_probabilities': lambda p: decisions.node_probabilities(p, RAGGED),
  'crm': lambda p: decisions.crm(p, RAGGED.distances()),
  'crm_tree': lambda p: decisions.crm_tree(p, RAGGED, 'lca_depth'),
  'hie': lambda p: decisions.hie(p, RAGGED),
  'hie at a level': lambda p: decisions.hie(p, RAGGED, level=1),
  'selective': lambda p: decisions.selective(p, RAGGED, 0.7),
  'selective_curve': lambda p: decisions.selective_curve(
    p, LABELS, RAGGED, THRESHOLDS
  ),
}


def apply_rules(probs, names=RULES):
  return {name: RULES[name](probs) for name in names}


def test_jitted_is_eager_and_keeps_the_precision():
  probs = random_probs(RAGGED, 6, 3)
  found = jax.jit(apply_rules)(probs.astype(np.float32))
  # Not all: op by op, each operation is compiled by itself.
  eager = apply_rules(
    probs.astype(np.float32), ('crm', 'crm_tree', 'hie', 'selective')
  )
  with jax.enable_x64(True):
    double = jax.jit(apply_rules)(probs)
  for values, other, dtype in (
    (eager, found, np.float32),
    (double, found, np.float64),
  ):
    nodes = values.pop('selective')
    assert nodes.dtype == np.int32
    np.testing.assert_array_equal(nodes, other['selective'])
    other = {name: value for name, value in other.items() if name in values}
    for a, b in zip(*map(jax.tree.leaves, (values, other)), strict=True):
      assert a.dtype == dtype
      np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_half_precision_is_raised():
  probs = jax.ShapeDtypeStruct((2, 5), jnp.bfloat16)
  for rule in ('node_probabilities', 'crm', 'crm_tree', 'hie'):
    assert jax.eval_shape(RULES[rule], probs).dtype == jnp.float32


GOOD = np.full((6, 5), 0.2)


@pytest.mark.usefixtures('unchecked')
@pytest.mark.parametrize(
  ('call', 'message'),
  [
    (lambda: decisions.node_probabilities(GOOD[:, :4], RAGGED), r'\[B, 5\]'),
    (lambda: decisions.crm_tree(GOOD[0], RAGGED), r'got \[5\]'),
    (lambda: decisions.crm_tree(GOOD, RAGGED, 'hops'), 'kind must be one'),
    (lambda: decisions.crm(GOOD, np.eye(4)), r'got \[6, 5\] and \[4, 4\]'),
    (lambda: decisions.hie(GOOD[:, :4], RAGGED), r'got \[6, 4\]'),
    (lambda: decisions.hie(GOOD, RAGGED, GOOD), r'\[6, 4\], a column'),
    (lambda: decisions.hie(GOOD, RAGGED, level=4), 'from 0 to 3'),
    (lambda: decisions.selective(GOOD[:, :4], RAGGED, 0.5), 'a column'),
    (lambda: decisions.selective(GOOD, RAGGED, 1.01), r'a number in \[0, 1\]'),
    (lambda: decisions.selective(GOOD, RAGGED, float('nan')), 'got nan'),
    (lambda: decisions.selective(GOOD, RAGGED, [0.5]), r'got \[0.5\]'),
    (
      lambda: decisions.selective_curve(GOOD, LABELS, RAGGED, [0, -1]),
      r'an array of numbers in \[0, 1\], got -1',
    ),
    (
      lambda: decisions.selective_curve(GOOD, LABELS, RAGGED, []),
      'thresholds must be',
    ),
    (
      lambda: decisions.selective_curve(GOOD, LABELS[:3], RAGGED, [0.5]),
      r'got \[3\] for 6 rows',
    ),
    (
      lambda: decisions.selective_curve(GOOD[:0], LABELS[:0], RAGGED, [0.5]),
      'one at least',
    ),
    (
      lambda: decisions.area_under_risk_coverage(np.ones(2), np.ones(3)),
      r'got \[2\] and \[3\]',
    ),
  ],
)
def test_errors_say_what_is_wrong(call, message):
  with pytest.raises(ValueError, match=message):
    call()
