# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import hypothesis
from hypothesis import strategies as st
import jax
import numpy as np
import pytest

from hafjax import collapse
from hafjax import frames
from hafjax import metrics
from tests import strategies

KS = (1, 2, 5)
JITTED = jax.jit(metrics.hierarchical_sums, static_argnames='ks')


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
  if scores.shape[1] >= 5:
    expected['top5'] = np.mean(
      [y in r[:5] for r, y in zip(ranked, labels, strict=True)]
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
  total = None
  for start in range(0, len(labels), batch_size):
    part = slice(start, start + batch_size)
    missing = batch_size - len(labels[part])
    filler = np.full(missing, padding_label % tree.num_classes)
    sums = JITTED(
      np.pad(scores[part], ((0, missing), (0, 0)), constant_values=9),
      np.concatenate([labels[part], filler]),
      distances,
      KS,
      mask=np.arange(batch_size) < batch_size - missing,
    )
    total = sums if total is None else jax.tree.map(np.add, total, sums)
  actual = metrics.finalise(total, KS)
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
  args = (scores.astype(np.float32), labels, distances + distances.T, KS)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6),
    metrics.hierarchical_sums(*args),
    JITTED(*args),
  )


def test_alignment_against_loops():
  rng = np.random.default_rng(0)
  frame = frames.simplex_etf(5, dim=6)
  labels = np.array([0, 1, 1, 3, 3, 3, 0, 2])  # Class 4 has no examples.
  mask = np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)  # Nor, masked, has 2.
  features = rng.standard_normal((8, 6)).astype(np.float32)
  frame32 = frame.astype(np.float32)
  sums = collapse.alignment_sums(features, labels, frame32, mask)
  found = collapse.alignment(sums, frame32)

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
