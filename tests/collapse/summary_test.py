# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every measure at once, beside the measures one by one."""

import jax
import numpy as np
import pytest

from hafjax import collapse
from hafjax import frames
from hafjax.hierarchy import load_hierarchy

K, D = 5, 6


@pytest.fixture(scope='module')
def stats():
  rng = np.random.default_rng(0)
  labels = rng.integers(0, K, 200)
  means = rng.standard_normal((K, D))
  features = means[labels] + 0.3 * rng.standard_normal((200, D))
  with jax.enable_x64(True):
    return collapse.ClassStatistics.of(features, labels, K).astype(np.float64)


def values(**arguments):
  rng = np.random.default_rng(1)
  rows = rng.standard_normal((K, D))
  given = dict(
    frame=frames.simplex_etf(K, dim=D),
    weights=rows,
    bias=rng.standard_normal(K),
    prediction=collapse.Prediction.of(rows, rng.standard_normal((K, D))),
  )
  return {name: given[name] for name in arguments if arguments[name]}


def test_each_measure_is_that_of_its_function(stats):
  given = values(weights=True, bias=True, prediction=True)
  found = collapse.summary(stats, **given)
  rows, centered = given['weights'], stats.means - stats.means.mean(0)
  with jax.enable_x64(True):
    centered = stats.means - np.asarray(stats.global_mean)
    etf = frames.etf_similarity(K)
    gaps = given['prediction'].gaps(rows, stats.means)
    wanted = dict(
      nc1=collapse.nc1(stats),
      nc1_cdnv=collapse.nc1(stats, 'cdnv'),
      nc2_etf=collapse.nc2(centered, etf),
      nc3_etf=collapse.nc3(rows, centered, etf),
      self_duality=collapse.self_duality(rows, centered),
      raw_self_duality=collapse.self_duality(rows, stats.means),
      bias_relation=collapse.bias_relation(
        rows, stats.global_mean, given['bias']
      ),
      predicted_nc3=gaps['nc3'],
      classifier_deviation_mean=collapse.frame_deviation(rows, etf)[0],
      raw_deviation_std=collapse.frame_deviation(stats.means, etf)[1],
    )
  for name, value in wanted.items():
    assert found[name] == pytest.approx(float(value), rel=1e-12), name
  assert 'nc2_frame' not in found


def test_a_frame_is_target_and_classifier(stats):
  frame = frames.simplex_etf(K, dim=D)
  found = collapse.summary(stats, frame=frame)
  assert found['classifier_deviation_mean'] == pytest.approx(0, abs=1e-12)
  with jax.enable_x64(True):
    gap = collapse.nc2(stats.means, frame @ frame.T)
  assert found['nc2_frame'] == pytest.approx(float(gap), rel=1e-12)
  # An operator is as good.
  again = collapse.summary(stats, frame=frames.DenseFrame(frame))
  assert again == pytest.approx(found)


def test_a_tree_frame_is_its_rows():
  tree = load_hierarchy('fashion_mnist')
  frame = frames.TreeFrame.create(tree, gamma=2.0)
  rng = np.random.default_rng(0)
  labels = np.arange(40) % tree.num_classes
  features = rng.standard_normal((40, frame.dim))
  stats = collapse.ClassStatistics.of(features, labels, tree.num_classes)
  found = collapse.summary(stats, frame=frame)
  rows = np.asarray(frame.rows(np.arange(tree.num_classes)))
  assert found == pytest.approx(collapse.summary(stats, frame=rows), rel=1e-5)


def test_the_table_of_measures_is_complete(stats):
  frame = collapse.summary(
    stats, **values(frame=True, bias=True, prediction=True)
  )
  rows = collapse.summary(stats, **values(weights=True))
  # NC4 is measured on the features themselves.
  assert {*frame, *rows, 'nc4'} == {*collapse.MEASURES}
  for measure in collapse.MEASURES.values():
    assert measure.title and measure.reading.endswith('.')


@pytest.mark.parametrize('name', ['frame', 'weights', 'bias', 'prediction'])
def test_what_does_not_fit_is_refused(stats, name):
  value = values(**{name: True})[name]
  if name == 'prediction':
    value = value.take(np.arange(3))
  else:
    value = value[:3]
  with pytest.raises(ValueError, match=f'{name} must be of shape'):
    collapse.summary(stats, **{name: value})
