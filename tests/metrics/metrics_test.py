# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hafjax import frames
from hafjax import metrics
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from hafjax.metrics import alignment
from hafjax.metrics import base
from hafjax.metrics.ranking import Ranking
from tests import strategies

KS = (1, 2, 5)


def ranking_sums(scores, labels, ranking, mask=None):
  batch = metrics.Scored(scores, labels, num_ranked=ranking.num_ranked)
  return metrics.sums(dict(ranking=ranking), batch, mask)


JITTED = jax.jit(ranking_sums)


def by_loops(scores, labels, distances, ks):
  """The definitions, an example at a time; ties go to the lower index."""
  distances = distances.astype(float)
  ranked = [sorted(range(len(row)), key=lambda c: -row[c]) for row in scores]
  found = [
    [distances[label, c] for c in classes]
    for label, classes in zip(labels, ranked, strict=True)
  ]
  wrong = [
    d for d, r, y in zip(found, ranked, labels, strict=True) if r[0] != y
  ]
  similar = [[1 - d / distances.max() for d in row] for row in found]
  ideal = [
    sorted((1 - d / distances.max() for d in distances[y]), reverse=True)
    for y in labels
  ]

  def precision(k):
    numerator = sum(sum(row[:k]) for row in similar)
    return numerator / sum(sum(row[:k]) for row in ideal)

  expected = {
    'top1': np.mean([r[0] == y for r, y in zip(ranked, labels, strict=True)]),
    'mistake_severity': np.mean([d[0] for d in wrong]) if wrong else 0.0,
  }
  for k in {*ks, 5}:
    if k <= scores.shape[1]:
      expected[f'top{k}'] = np.mean(
        [y in r[:k] for r, y in zip(ranked, labels, strict=True)]
      )
  for k in ks:
    if k <= scores.shape[1]:
      expected[f'hier_dist@{k}'] = np.mean([d[:k] for d in found])
      expected[f'best_hier_dist@{k}'] = np.mean([min(d[:k]) for d in found])
      expected[f'mistake_hier_dist@{k}'] = (
        np.mean([d[:k] for d in wrong]) if wrong else 0.0
      )
      expected[f'hier_precision@{k}'] = precision(k)
      expected[f'hier_map@{k}'] = np.mean(
        [precision(j) for j in range(1, k + 1)]
      )
  return expected


@st.composite
def problems(draw):
  tree = draw(strategies.trees(max_nodes=12, min_classes=2))
  rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
  size = draw(st.sampled_from([1, 7]))  # Each size compiles anew.
  # Few distinct scores: ties are the rule.
  scores = rng.integers(0, 3, (size, tree.num_classes)).astype(np.float32)
  return tree, scores, rng.integers(0, tree.num_classes, size)


@hypothesis.given(problems())
@hypothesis.settings(max_examples=40)
def test_against_loops(problem):
  tree, scores, labels = problem
  distances = tree.distances()
  actual = metrics.hierarchical_metrics(scores, labels, distances, KS)
  expected = by_loops(scores, labels, distances, KS)
  assert actual.keys() == expected.keys()
  for name, value in expected.items():
    assert actual[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


@hypothesis.given(problems(), st.sampled_from([2, 4]), st.integers(0, 9))
@hypothesis.settings(max_examples=20)
def test_batches_and_padding_change_nothing(problem, batch_size, padding_label):
  tree, scores, labels = problem
  distances = tree.distances()
  ranking = Ranking.of_distances(distances, KS)
  total = None
  for start in range(0, len(labels), batch_size):
    part = slice(start, start + batch_size)
    missing = batch_size - len(labels[part])
    filler = np.full(missing, padding_label % tree.num_classes)
    sums = JITTED(
      np.pad(scores[part], ((0, missing), (0, 0)), constant_values=9),
      np.concatenate([labels[part], filler]),
      ranking,
      mask=np.arange(batch_size) < batch_size - missing,
    )
    total = sums if total is None else jax.tree.map(np.add, total, sums)
  actual = metrics.finalize(dict(ranking=ranking), total)
  expected = metrics.hierarchical_metrics(scores, labels, distances, KS)
  assert actual == pytest.approx(expected, rel=1e-5)


PUBLISHED = {
  'hier_dist': 'hdist_avg',
  'best_hier_dist': 'hdist_best',
  'mistake_hier_dist': 'hdist_mistakes',
  'hier_precision': 'derived_hprecision_matched',
  'hier_map': 'derived_hmap_matched',
}


def check_published(figures, rtol):
  ks = tuple(int(k) for k in figures['ks'])
  found = metrics.hierarchical_metrics(
    figures['logits'], figures['labels'], figures['distance'], ks
  )
  for name, key in PUBLISHED.items():
    actual = [found[f'{name}@{k}'] for k in ks]
    np.testing.assert_allclose(actual, figures[key], rtol=rtol, err_msg=name)
  assert found['top1'] == pytest.approx(figures['topk_accuracy'][0], rel=1e-6)
  assert found['top5'] == pytest.approx(figures['topk_accuracy'][1], rel=1e-6)
  assert 100 * found['top1'] == pytest.approx(float(figures['raw_top1']))
  assert found['mistake_severity'] == pytest.approx(
    float(figures['raw_mistake']), rel=rtol
  )


def test_published_figures_in_float32(reference):
  check_published(reference('mbm_metrics'), rtol=1e-5)


def test_published_figures_in_float64(reference, x64):
  figures = reference('mbm_metrics')
  figures['logits'] = figures['logits'].astype(np.float64)
  check_published(figures, rtol=1e-9)


def test_no_mistakes_and_no_examples():
  distances = np.array([[0, 1], [1, 0]])
  perfect = metrics.hierarchical_metrics(np.eye(2), [0, 1], distances, (1,))
  assert perfect['top1'] == 1 and perfect['mistake_severity'] == 0
  assert 'top5' not in perfect and 'hier_dist@5' not in perfect
  with pytest.raises(ValueError, match='no examples'):
    metrics.hierarchical_metrics(np.zeros((0, 2)), [], distances)
  with pytest.raises(ValueError, match='ks must be at least 1'):
    metrics.hierarchical_metrics(np.eye(2), [0, 1], distances, (0, 1))


def test_jitted_and_eager_sums_agree():
  rng = np.random.default_rng(0)
  scores, labels = rng.standard_normal((9, 7)), rng.integers(0, 7, 9)
  distances = rng.integers(1, 5, (7, 7)) * (1 - np.eye(7, dtype=int))
  ranking = Ranking.of_distances(distances + distances.T, KS)
  args = (scores.astype(np.float32), labels, ranking)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
    ranking_sums(*args),
    JITTED(*args),
  )


def test_alignment_against_loops():
  rng = np.random.default_rng(0)
  frame = frames.simplex_etf(5, dim=6)
  labels = np.array([0, 1, 1, 3, 3, 3, 0, 2])  # Class 4 has no examples.
  mask = np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)  # Nor, masked, has 2.
  features = rng.standard_normal((8, 6)).astype(np.float32)
  frame32 = frame.astype(np.float32)
  batch = metrics.Scored(features, labels, features=features, frame=frame32)
  chosen = dict(alignment=alignment.Alignment())
  found = metrics.finalize(chosen, metrics.sums(chosen, batch, mask))

  def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

  expected = np.mean(
    [cosine(features[i], frame[labels[i]]) for i in np.flatnonzero(mask)]
  )
  assert found['feature_cosine'] == pytest.approx(expected, rel=1e-5)
  means = [features[mask & (labels == c)].mean(0) for c in (0, 1, 3)]
  expected = np.mean(
    [cosine(m, frame[c]) for m, c in zip(means, (0, 1, 3), strict=True)]
  )
  assert found['class_mean_cosine'] == pytest.approx(expected, rel=1e-5)


# --- Everything in one pass --------------------------------------------------


def everything_by_loops(scores, probs, labels, tree):
  """The definitions in `metrics.evaluate`, beyond `by_loops`."""
  paths = [path.split('/') for path in tree.paths()]

  def at(c, depth):
    """The path to a class's node at a depth; to itself where it ends."""
    return tuple(paths[c][: depth + 1])

  found = {name: [] for name in ('full', 'path', 'step')}
  levels = range(1, tree.height + 1)
  right = {level: [] for level in levels}
  heights = {height: 0 for height in range(1, tree.height + 1)}
  for row, p, y in zip(scores, probs, labels, strict=True):
    best = int(np.argmax(row))
    likeliest = []
    for level in levels:
      right[level].append(at(best, level) == at(y, level))
      sums = {}
      for c in range(tree.num_classes):
        sums[at(c, level)] = sums.get(at(c, level), 0.0) + p[c]
      likeliest.append(max(sums, key=sums.get))
    if best != y:
      heights[int(tree.distances()[best, y])] += 1
    found['full'].append(
      all(n == at(y, level) for n, level in zip(likeliest, levels, strict=True))
    )
    # A node lies on the path of another if its own path begins that.
    steps = [
      low[: len(high)] == high
      for high, low in zip(likeliest, likeliest[1:], strict=False)
    ]
    found['path'].append(all(steps))
    found['step'].append(np.mean(steps) if steps else 1.0)
  return {
    'full_path_accuracy': np.mean(found['full']),
    'path_consistency': np.mean(found['path']),
    'step_consistency': np.mean(found['step']),
    **{f'level_accuracy@{level}': np.mean(right[level]) for level in levels},
    **{f'mistakes@height_{h}': n / len(labels) for h, n in heights.items()},
  }


def hops_by_loops(row, y, distances, k):
  """As the paper has it, an example at a time."""
  values = sorted(set(distances[y]))
  rank = [values.index(d) for d in distances[y]]
  expected = sorted(rank)
  order = sorted(range(len(row)), key=lambda c: -row[c])
  if k == 1:
    return float(rank[order[0]] == 0)
  last = max(expected)

  def weight(t):
    q = expected[t]
    if q == 0:
      return 1.0
    place, size = t - expected.index(q), expected.count(q)
    start, end = 2.0**-q, 0.0 if q == last else 2.0 ** -(q + 1)
    return start + (end - start) * place / size

  error = sum(weight(t) * abs(expected[t] - rank[order[t]]) for t in range(k))
  worst = sum(
    weight(t) * abs(expected[t] - expected[k - 1 - t]) for t in range(k)
  )
  return min(max(1 - error / worst, 0.0), 1.0)


@hypothesis.given(problems())
@hypothesis.settings(max_examples=8, deadline=None)
def test_everything_against_loops(problem):
  tree, scores, labels = problem
  rng = np.random.default_rng(len(scores))
  # No ties here: whose sums win would be a matter of rounding.
  scores = (scores + rng.random(scores.shape)).astype(np.float32)
  found = metrics.evaluate(scores, labels, tree, ks=KS, batch_size=4)
  probs = np.asarray(jax.nn.softmax(scores))
  wanted = everything_by_loops(scores, probs, labels, tree)
  wanted |= by_loops(scores, labels, tree.distances(), KS)
  num_classes = tree.num_classes
  for k in (*(k for k in KS if k < num_classes), num_classes):
    name = 'hops' if k == num_classes else f'hops@{k}'
    wanted[name] = np.mean(
      [
        hops_by_loops(row, y, tree.distances(), k)
        for row, y in zip(scores, labels, strict=True)
      ]
    )
  wanted |= dict(
    zip(('ece', 'mce'), calibration_by_loops(probs, labels, 15), strict=True)
  )
  assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def calibration_by_loops(probs, labels, num_bins):
  gaps = []
  for b in range(num_bins):
    low, high = b / num_bins, (b + 1) / num_bins
    inside = [
      (p.max(), p.argmax() == y)
      for p, y in zip(probs, labels, strict=True)
      if low < p.max() <= high
    ]
    if inside:
      confidence, hits = map(np.mean, zip(*inside, strict=True))
      gaps.append((len(inside) / len(labels), abs(hits - confidence)))
  return sum(n * gap for n, gap in gaps), max(gap for _, gap in gaps)


@pytest.mark.parametrize('num_bins', [1, 10, 15])
def test_calibration_against_loops(num_bins):
  rng = np.random.default_rng(0)
  probs = rng.dirichlet(np.full(5, 0.3), 200)
  labels = rng.integers(0, 5, 200)
  found = metrics.calibration_error(probs, labels, num_bins)
  assert found == pytest.approx(
    calibration_by_loops(probs, labels, num_bins), rel=1e-4
  )


@pytest.mark.parametrize(
  'case', ['cifar', 'cifar_random', 'cifar_perfect', 'cifar_worst', 'tiered']
)
def test_published_hops_and_full_paths(reference, x64, case):
  figures = reference('hops_fpa')
  ranking = figures['tiered/ranking' if case == 'tiered' else 'cifar/ranking']
  probs = jax.nn.softmax(figures[f'{case}/logits'])
  labels = figures[f'{case}/y']
  for k, name in ((None, 'hops'), (20, 'hops20'), (5, 'hops5')):
    found = metrics.hops(probs, labels, ranking, k)
    np.testing.assert_allclose(found, figures[f'{case}/{name}'], atol=1e-12)
  if case == 'tiered':
    return
  # Columns are levels from the classes up.
  tree = Hierarchy.from_paths(
    [('root', *map(str, row[::-1])) for row in unique_names(figures)]
  )
  found = metrics.hops(probs, labels, tree.distances())
  np.testing.assert_allclose(found, figures[f'{case}/hops'], atol=1e-12)
  assert metrics.full_path_accuracy(probs, labels, tree) == pytest.approx(
    float(figures[f'{case}/fpa']), abs=1e-12
  )


def unique_names(figures):
  """Levels' indices made names: the same number means another node a level."""
  return [
    [f'level {level} node {node}' for level, node in enumerate(row)]
    for row in figures['cifar/tree']
  ]


def test_what_cannot_be_measured_is_refused():
  tree = Hierarchy.from_paths(['r/a', 'r/b'])
  for scores, labels, words in (
    (np.eye(3), [0, 1, 2], 'a column for each class'),
    (np.eye(2), [0, 2], 'from 0 to 1'),
    (np.zeros((0, 2)), [], 'no examples'),
  ):
    with pytest.raises(ValueError, match=words):
      metrics.evaluate(scores, np.array(labels, int), tree)
  with pytest.raises(ValueError, match='k must be between 1 and 2'):
    metrics.hops(np.eye(2), np.arange(2), tree.distances(), 3)
  with pytest.raises(ValueError, match="no metric 'magic'; there are "):
    metrics.evaluate(np.eye(2), np.arange(2), tree, names=['magic'])
  # The package's other modules are none.
  with pytest.raises(ValueError, match="no metric 'summary'"):
    metrics.evaluate(np.eye(2), np.arange(2), tree, names=['summary'])


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_scores_without_a_rank_are_refused(bad):
  tree = Hierarchy.from_paths(['r/a', 'r/b'])
  scores, labels = np.eye(2, dtype=np.float32)[[0, 1, 1]], np.array([0, 1, 1])
  scores[2, 1] = bad
  for measure in (
    lambda: metrics.evaluate(scores, labels, tree),
    lambda: metrics.evaluate(scores, labels, tree, batch_size=1),
    lambda: metrics.hierarchical_metrics(scores, labels, tree.distances()),
    lambda: metrics.hops(scores, labels, tree.distances()),
  ):
    with pytest.raises(ValueError, match=f'got {bad} in row 2'):
      measure()
  # A class that is out of the question has a rank, a row of them has none.
  scores[2] = [-np.inf, 0]
  assert metrics.evaluate(scores, labels, tree)['top1'] == 1
  scores[2] = -np.inf
  with pytest.raises(ValueError, match='got -inf in row 2'):
    metrics.evaluate(scores, labels, tree)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_classes_are_ranked_on_the_host_as_by_top_k(dtype):
  rng = np.random.default_rng(0)
  scores = rng.standard_normal((50, 40)).astype(dtype)
  scores[:, ::3] = rng.integers(-2, 3, (50, 14))  # Ties, zeros among them.
  scores[0, :4] = [0.0, -0.0, np.inf, -np.inf]
  scores[1, :4] = np.float32([1e-45, -1e-45, 3e38, -3e38])  # Subnormal, huge.
  found = base.rank_on_host(scores)
  wanted = np.argsort(-scores, axis=1, kind='stable')
  np.testing.assert_array_equal(found, wanted)
  for most in (1, 7, 40):
    np.testing.assert_array_equal(
      base.rank_on_host(scores, most), wanted[:, :most]
    )
    np.testing.assert_array_equal(base.rank(scores, most), wanted[:, :most])


def test_calibration_of_many_examples_in_few_digits():
  rng = np.random.default_rng(0)
  probs = rng.dirichlet(np.ones(3), 300_000).astype(np.float32)
  # Right as often as it claims to be.
  claims = probs.max(axis=1)
  labels = np.where(rng.random(len(probs)) < claims, probs.argmax(1), -1)
  exact = metrics.calibration_error(probs.astype(np.float64), labels)
  assert exact[0] < 0.003
  assert metrics.calibration_error(probs, labels) == pytest.approx(exact)
  half = metrics.calibration_error(jnp.asarray(probs, jnp.bfloat16), labels)
  assert half[0] == pytest.approx(exact[0], abs=0.003)


def test_half_precision_is_raised():
  rng = np.random.default_rng(0)
  tree = load_hierarchy('cifar100')
  probs = rng.dirichlet(np.full(100, 0.1), 300).astype(np.float16)
  labels = rng.integers(0, 100, 300)
  found = [
    metrics.evaluate(p, labels, tree, are_probabilities=True)
    for p in (probs, probs.astype(np.float32))
  ]
  assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_single_class_has_metrics():
  tree = Hierarchy.from_paths(['r/a'])
  found = metrics.evaluate(np.ones((3, 1), np.float32), np.zeros(3, int), tree)
  assert np.isfinite(list(found.values())).all()
  assert found['top1'] == found['hier_precision@1'] == found['hops'] == 1


def test_zeros_of_both_signs_are_ties():
  tree = Hierarchy.from_paths(['r/a', 'r/b'])
  scores = np.array([[-0.0, 0.0], [0.0, -0.0]], np.float32)
  for measure in (
    metrics.evaluate(scores, np.zeros(2, int), tree),
    metrics.hierarchical_metrics(scores, np.zeros(2, int), tree.distances()),
  ):
    assert measure['top1'] == 1
  np.testing.assert_array_equal(
    metrics.hops(scores, np.zeros(2, int), tree.distances()), [1, 1]
  )


@pytest.mark.parametrize('labels', [[0, 0, 0], [2, 2, 1]])
def test_classes_without_examples_make_no_nan(labels):
  tree = load_hierarchy('quickstart')
  rng = np.random.default_rng(0)
  scores = rng.standard_normal((3, tree.num_classes)).astype(np.float32)
  found = metrics.evaluate(scores, np.array(labels), tree)
  for name, value in found.items():
    assert np.isfinite(value).all(), name
  right = metrics.evaluate(
    np.eye(tree.num_classes, dtype=np.float32)[labels], np.array(labels), tree
  )
  # Without a mistake there is no severity: 0, and not 0 / 0.
  for name, value in right.items():
    assert np.isfinite(value).all(), name


# --- Metrics by name ---------------------------------------------------------


def test_chosen_metrics_are_those_of_all():
  tree = load_hierarchy('quickstart')
  rng = np.random.default_rng(0)
  scores = rng.standard_normal((40, tree.num_classes)).astype(np.float32)
  labels = rng.integers(0, tree.num_classes, 40)
  everything = metrics.evaluate(scores, labels, tree)
  parts = {}
  for name in metrics.metric_names():
    parts |= metrics.evaluate(scores, labels, tree, names=[name])
  assert parts == pytest.approx(everything, rel=1e-6)
  assert list(parts) == list(everything)


def test_every_metric_says_which_way_is_better():
  tree = load_hierarchy('quickstart')
  labels = np.arange(tree.num_classes)
  perfect = 9 * np.eye(tree.num_classes, dtype=np.float32)
  best = metrics.evaluate(perfect, labels, tree)
  worst = metrics.evaluate(-perfect, labels, tree)
  for name in best:
    if name.startswith('mistakes@'):  # They trade places.
      assert metrics.direction(name) == 0
      continue
    sign = np.sign(best[name] - worst[name])
    # Of all classes, nothing is left to choose.
    assert metrics.direction(name) in ((1, -1) if sign == 0 else (sign,)), name
  assert metrics.direction('loss') == metrics.direction('feature_cosine') == 0


def test_a_metric_of_a_module_of_ones_own(tmp_path, monkeypatch):
  folder = tmp_path / 'mylab'
  folder.mkdir()
  (folder / 'entropy.py').write_text(
    """
import flax
import jax.numpy as jnp

@flax.struct.dataclass
class Entropy:
  direction = {}
  num_ranked = 0

  @classmethod
  def create(cls, tables):
    return cls()

  def sums(self, batch, weight):
    entropy = -jnp.sum(batch.probs * jnp.log(batch.probs), axis=1)
    return dict(total=weight @ entropy, count=weight.sum())

  def finalize(self, sums):
    return dict(entropy=float(sums['total'] / sums['count']))

METRIC = Entropy
"""
  )
  (folder / 'empty.py').write_text('')
  monkeypatch.syspath_prepend(str(tmp_path))
  tree = load_hierarchy('quickstart')
  scores = np.zeros((7, tree.num_classes), np.float32)
  labels = np.zeros(7, int)
  found = metrics.evaluate(
    scores, labels, tree, names=['mylab.entropy'], batch_size=4
  )
  assert found == {'entropy': pytest.approx(np.log(tree.num_classes))}
  with pytest.raises(ValueError, match="'mylab.empty' is no metric"):
    metrics.evaluate(scores, labels, tree, names=['mylab.empty'])


def test_metrics_that_do_not_apply_are_left_out():
  tree = Hierarchy.from_paths(['r/a', 'r/b'])
  chosen = metrics.MetricTables.create(tree).select(['loss', 'alignment'])
  batch = metrics.Scored(jnp.eye(2), jnp.arange(2))
  assert metrics.finalize(chosen, metrics.sums(chosen, batch)) == {}
  batch = metrics.Scored(
    jnp.eye(2),
    jnp.arange(2),
    loss=jnp.array([3.0, jnp.nan]),
    features=jnp.eye(2),
    frame=jnp.eye(2),
  )
  found = metrics.finalize(
    chosen, metrics.sums(chosen, batch, jnp.array([True, False]))
  )
  assert found == dict(loss=3, feature_cosine=1, class_mean_cosine=1)
