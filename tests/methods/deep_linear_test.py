# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import functools
import math
import pathlib
import re

import numpy as np
import pytest

from experiments.deep_linear import __main__ as parts
from experiments.deep_linear import common
from experiments.deep_linear import decay
from experiments.deep_linear import fixed
from experiments.deep_linear import layers
from experiments.deep_linear import networks
from experiments.deep_linear import pairs
from experiments.deep_linear import root
from experiments.deep_linear import speed
from experiments.deep_linear import widths
from hafjax import frames
from hafjax import ufm
from hafjax.hierarchy import Hierarchy
from tests import helpers


def test_layers_collapse_to_orthogonal_vectors_of_the_predicted_lengths():
  counts = (6, 3, 2)
  exact, found, steps = layers.watched_descent(
    counts, depth=2, width=5, decay=0.02, starts=2, steps=400
  )
  measures = found.measures
  assert all(len(values) == len(steps) for values in measures.values())
  assert found.objective == pytest.approx(exact.objective, abs=1e-12)
  for key in ('nc1', 'nc2_means', 'nc2_classifier', 'nc3'):
    assert measures[key].shape[1] == 2
    assert measures[key][0].min() > 0.01
    assert measures[key][-1].max() < 1e-5
  # n^(1/2) |h| is the singular value t^(1/2) / lambda_H^(1/2) of the features.
  np.testing.assert_allclose(
    measures['lengths'][-1] * np.sqrt(counts),
    exact.feature_singular_values,
    atol=1e-6,
  )


def test_narrow_layers_keep_the_largest_classes():
  search = widths.search_width(
    2, class_counts=(6, 3, 2), decay=0.02, depth=2, starts=8
  )
  np.testing.assert_allclose(search.values, search.predicted, atol=1e-5)
  assert (search.values > 0.1).tolist() == [True, True, False]
  wide = ufm.minimum((6, 3, 2), (6, 6), (0.02,) * 2, 0.02)
  np.testing.assert_allclose(
    search.predicted[:2], wide.singular_values[:2], atol=1e-12
  )


def test_pairs_replace_the_etf_as_the_decay_grows():
  search = pairs.search_pairs(4, 2, np.array([0.008, 0.03]), starts=10)
  # The threshold of four classes at depth 2 is 0.0117605.
  assert (search.etf < search.pairs).tolist() == [True, False]
  np.testing.assert_allclose(
    search.found, np.minimum(search.etf, search.pairs), rtol=1e-8
  )
  # Where pairs are lowest, the ETF still holds starts.
  assert np.isclose(search.starts[1], search.etf[1], rtol=1e-8).any()
  assert search.starts.min() > search.found.min() - 1e-10


# Programs are compiled by shape: both sweeps are of 20 samples of 4 classes, 8
# decays, layers of 10 and 8 starts.
SHAPE = dict(width=10, starts=8)
DECAYS = np.array([0.045, 0.05, 0.055, 0.06, 0.063, 0.066, 0.07, 0.075])


@functools.cache
def roots():
  return root.search_roots(2, DECAYS, **SHAPE)


def test_the_published_root_is_a_local_minimum_worse_than_zero():
  search = roots()
  # The theory page's example.
  example = DECAYS.tolist().index(0.063)
  assert search.published_ratio[example] == pytest.approx(0.428364, abs=1e-6)
  assert search.published[example] == pytest.approx(1.0614, abs=1e-4)
  below = search.threshold > DECAYS
  real = ~np.isnan(search.published_ratio)
  assert below.sum() == 3 and real.sum() == 6
  np.testing.assert_allclose(
    search.exact, np.where(below, search.published, 1), atol=1e-9
  )
  np.testing.assert_allclose(search.found, search.exact, atol=1e-8)
  # A descent from active classes stays at the published root while it exists.
  np.testing.assert_allclose(
    search.stayed, np.where(real, search.published, 1), atol=1e-8
  )


def test_the_published_rule_is_that_of_the_released_code(reference):
  figures = reference('deep_linear')
  names = [key for key in figures if key.endswith('/x_ref_imbalanced')]
  compared = 0
  for name in names:
    get = lambda key: figures[name.replace('x_ref_imbalanced', key)]  # noqa: E731, B023
    depth, counts = int(get('M')), get('counts')
    if get('lambda_w') != get('lambda_h'):
      continue
    for size, x in zip(counts, get('x_ref_imbalanced'), strict=True):
      found = root.published_ratio(
        depth, size, counts.sum(), float(get('lambda_w'))
      )
      if np.isnan(x):
        continue  # Of one class without a root, all are lost.
      assert found == pytest.approx(x**depth / (1 + x**depth), rel=1e-4)
      compared += 1
  assert compared > 20


def test_classes_vanish_at_their_predicted_decays():
  counts = (10, 5, 3, 2)
  sweep = decay.sweep_decay(2, counts, num_decays=8, **SHAPE)
  np.testing.assert_allclose(sweep.found, sweep.predicted, atol=1e-5)
  alive = sweep.found > 1e-3
  np.testing.assert_array_equal(alive, sweep.decays[:, None] < sweep.thresholds)
  assert sweep.reached.all()
  # From depth 2 on, a class is at (M - 1) / M of its target or more, or gone.
  least = np.sqrt(counts) / 2
  assert (sweep.found >= np.where(alive, least, 0)).all()


# --- Frames ------------------------------------------------------------------

BALANCED, IMBALANCED = (3,) * 4, (6, 3, 2, 1)
OPTIONS = {
  'ce': {},
  'haframe': dict(alpha=0.4),
  'dot_regression': dict(lengths=1.0),
}


def tree():
  return Hierarchy.from_paths(['r/a/1', 'r/a/2', 'r/b/3', 'r/c'])


def result(frame, kind, depth, *cases):
  function = ufm.fixed_classifier(frame, kind, **OPTIONS[kind])
  return [
    fixed.frame_result(
      frame,
      function,
      counts,
      depth,
      decay=2e-3,
      starts=4,
      # Compiled in a fifth of the time that L-BFGS takes.
      method='gd',
      learning_rate=0.5,
      steps=5000,
    )
    for counts in cases
  ]


@pytest.mark.parametrize('kind', OPTIONS)
def test_free_features_collapse_onto_an_etf_whatever_the_class_sizes(kind):
  frame = frames.simplex_etf(4)
  for found in result(frame, kind, 0, BALANCED, IMBALANCED):
    assert found.least_cosine == pytest.approx(1, abs=1e-8)
    assert found.deviation < 1e-5
    assert found.nc1 < 1e-10
    assert found.right == 1


def test_onto_a_haframe_they_collapse_under_dot_regression_alone():
  frame = frames.haframe(tree(), gamma=2.0)
  found = {kind: result(frame, kind, 0, BALANCED)[0] for kind in OPTIONS}
  assert found['dot_regression'].least_cosine == pytest.approx(1, abs=1e-8)
  # Cross-entropy pushes away from near classes; the cosine loss pulls back.
  assert found['ce'].cosine < 0.995
  assert found['ce'].cosine + 1e-3 < found['haframe'].cosine < 1 - 1e-6


def test_below_two_layers_the_cosine_loss_holds_and_dot_regression_does_not():
  frame = frames.simplex_etf(4)
  (cosine,) = result(frame, 'haframe', 2, BALANCED)
  assert cosine.least_cosine == pytest.approx(1, abs=1e-6)
  assert cosine.rank == 3
  # One line is the cheapest way to the lengths along the rows: of v = +1 or -1
  # a class, frame.T v has length K / sqrt(K - 1) and products v K / (K - 1).
  (regression,) = result(frame, 'dot_regression', 2, BALANCED)
  assert regression.rank == 1
  assert regression.right == 0.5
  assert regression.cosine == pytest.approx(1 / math.sqrt(3), abs=1e-5)


# --- The rest ----------------------------------------------------------------


def test_searches_together_and_one_by_one_are_timed():
  found = speed.time_searches(
    'gd', num_settings=3, starts=2, sample=1, steps=3000
  )
  assert min(found.together, found.by_setting, found.by_start) > 0
  assert found.hits.shape == (3, 2)
  assert found.hits.any()


def test_a_part_replaces_its_own_section_alone():
  page = parts.with_section('', 'root', '## root\n\nold')
  page = parts.with_section(page, 'layers', '## layers\n\nfirst')
  page = parts.with_section(page, 'root', '## root\n\nnew\n\n| a |')
  assert page == (
    '# Collapse under deep linear layers\n\n'
    '## layers\n\nfirst\n\n## root\n\nnew\n\n| a |\n'
  )


def test_tables_and_pictures_are_written(tmp_path):
  search = roots()
  part = common.Part(
    'Text.',
    ','.join('abcdefgh'),
    root.root_rows(search),
    {'': root.root_figure([search, search])},
  )
  parts.write(tmp_path, 'root', part, wall=1.0)
  assert (tmp_path / 'deep_linear_root.png').stat().st_size > 1000
  page = (tmp_path / 'deep_linear.md').read_text()
  assert 'raises' in page and '1.0614' in page
  assert 'deep_linear_root.png' in page


def test_an_unknown_part_is_answered_with_the_known_ones():
  with pytest.raises(ValueError, match='layers, widths'):
    parts.check_parts(['layers', 'leyers'])


def test_results_that_are_kept_are_of_all_parts():
  folder = pathlib.Path(parts.__file__).parents[2]
  page = (folder / 'experiments/results/deep_linear.md').read_text()
  for name in parts.PARTS:
    assert f'\n## {name}\n' in page
  pictures = re.findall(r'\((\w+\.png)\)', page)
  assert len(pictures) > len(parts.PARTS)
  for name in pictures:
    size = (folder / 'experiments/results' / name).stat().st_size
    assert size < 150_000


# --- Real networks -----------------------------------------------------------


def test_a_network_is_measured_against_its_own_prediction(tmp_path):
  config = helpers.tiny_config(
    'deep_linear',
    **{
      'method.depth': 2,
      'method.weight_decay': 5e-3,
      'method.feature_decay': 1e-4,
      'imbalance.factor': 4.0,
      'collapse.every': 1,
      'lr.classifier': 0.02,
    },
  )
  run = networks.trained(tmp_path, config)
  assert (run.counts[0], run.counts[-1]) == (8, 2)
  exact = ufm.minimum(
    run.counts.tolist(), (256, 256), (5e-3, 5e-3), feature_decay=1e-4
  )
  assert run.objective == exact.objective
  np.testing.assert_allclose(run.predicted.means, exact.class_mean_gram)
  # The last record is of the state whose means and rows are returned.
  gaps = run.predicted.gaps(run.weights, run.means)
  for name, gap in gaps.items():
    assert run.history[-1][f'predicted_{name}'] == pytest.approx(
      float(gap), rel=1e-3
    )
  table = networks.row('tiny', 'orthogonal', run)
  assert len(table) == 9
  for figure in (
    networks.curves_figure({'tiny': run}),
    networks.lengths_figure({'tiny': run}),
  ):
    figure.savefig(tmp_path / 'figure.png')
