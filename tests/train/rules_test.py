# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rules in real runs, one of which lends another its coarse view."""

import json

import jax
import numpy as np
import pytest

from hafjax import decisions
from hafjax import metrics
from hafjax.data import DataError
from hafjax.data import load_dataset
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.runs import checkpoints
from hafjax.runs import tables
from hafjax.train.forward import scores_of
from hafjax.train.rules import RuleContext
from hafjax.train.rules import RuleError
from hafjax.train.rules import parse_rule
from hafjax.train.run import train_and_evaluate
from tests import helpers


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """A run on the leaves and one on their ancestors of depth 2."""
  fine, coarse = map(tmp_path_factory.mktemp, ('fine', 'coarse'))
  train_and_evaluate(helpers.tiny_config('cross_entropy'), fine)
  found = train_and_evaluate(
    helpers.tiny_config('cross_entropy', level=2), coarse
  )
  return fine, coarse, found


def probabilities(folder, **changes):
  """Of the test split, by the best checkpoint; and the data."""
  config = helpers.tiny_config('cross_entropy', **changes)
  state, experiment, data = helpers.restored(config, folder, best=True)
  images = data.splits['test'].images
  scores = scores_of(state, images, experiment)
  return np.asarray(jax.nn.softmax(scores)), data


def test_rules_are_added_to_a_finished_run(runs):
  fine, coarse, _ = runs
  names = ('argmax', 'crm', 'hie', 'hie:2', f'hie:{coarse}', 'selective')
  config = helpers.tiny_config('cross_entropy')
  # 64 does not divide the 90 test images: partial batches count once.
  config.eval.rules = names
  before = json.loads((fine / 'results.json').read_text())
  results = train_and_evaluate(config, fine)
  assert results['test'] == before['test']
  assert json.loads((fine / 'results.json').read_text()) == results
  assert tuple(results['rules']) == names

  probs, data = probabilities(fine)
  coarse_probs, _ = probabilities(coarse, level=2)
  tree, labels = data.hierarchy, data.splits['test'].labels
  for name, scores in {
    'argmax': probs,
    'crm': decisions.crm(probs, data.distances),
    'hie': decisions.hie(probs, tree),
    'hie:2': decisions.hie(probs, tree, level=2),
    f'hie:{coarse}': decisions.hie(probs, tree, coarse_probs, level=2),
  }.items():
    wanted = metrics.hierarchical_metrics(
      scores, labels, data.distances, metrics.KS
    )
    assert results['rules'][name]['test'] == pytest.approx(wanted), name
  found = results['rules']['selective']['test']
  curve = decisions.selective_curve(
    probs, labels, tree, np.asarray(found['threshold'])
  )
  for name in ('coverage', 'risk', 'accuracy', 'depth'):
    np.testing.assert_allclose(found[name], curve[name], atol=1e-5)

  table = tables.results_table([results]).splitlines()
  assert [line.split('|')[1].strip() for line in table[2:]] == [
    'cross_entropy',
    *(f'cross_entropy + {name}' for name in names[:-1]),
  ]
  assert 'cross_entropy + selective' in tables.curve_table([results])
  assert not tables.curve_table([before])

  # Evaluation of the same checkpoint finds the same.
  config.mode = 'eval'
  again = train_and_evaluate(config, fine)
  assert again['rules']['crm']['test'] == results['rules']['crm']['test']


def test_classes_of_a_level(runs):
  *_, found = runs
  fine = load_dataset(helpers.tiny_config())
  coarse = load_dataset(helpers.tiny_config(level=2))
  parents = {path.split('/')[2]: path for path in coarse.hierarchy.paths()}
  assert len(parents) == coarse.hierarchy.num_classes < 30
  for arrays, others in zip(
    fine.splits.values(), coarse.splits.values(), strict=True
  ):
    for label, other in set(zip(arrays.labels, others.labels, strict=True)):
      path = fine.hierarchy.paths()[label]
      assert path.startswith(coarse.hierarchy.paths()[other] + '/')
  assert found['test']['top1'] > 1 / len(parents)


def test_a_tree_cut_at_each_level():
  tree = Hierarchy.from_paths(['r/b/x', 'r/a/c/y', 'r/z', 'r/a/d/w', 'r/a/d/v'])
  assert tree.at_level(1).paths() == ['r/b', 'r/a', 'r/z']
  assert tree.at_level(2).paths() == ['r/b/x', 'r/a/c', 'r/z', 'r/a/d']
  assert tree.at_level(3) == tree
  for level in (0, 4):
    with pytest.raises(HierarchyError, match='level must be'):
      tree.at_level(level)


@pytest.mark.parametrize(
  'name, message',
  [
    (
      'magic',
      "no inference rule 'magic'; there are argmax, crm, hie, selective",
    ),
    ('crm:2', "'crm' takes no argument"),
    ('hie:9', 'needs a level from 1 to 4, got 9'),
    ('hie:/nowhere', '/nowhere holds no run'),
  ],
)
def test_bad_rules_are_told_before_training(tmp_path, name, message):
  config = helpers.tiny_config()
  config.eval.rules = (name,)
  with pytest.raises((RuleError, checkpoints.CheckpointError)) as error:
    train_and_evaluate(config, tmp_path / 'run')
  error.match(message)
  assert not (tmp_path / 'run').exists()


def test_a_companion_must_be_coarse(runs, tmp_path):
  fine, *_ = runs
  config = helpers.tiny_config()
  config.eval.rules = (f'hie:{fine}',)
  with pytest.raises(RuleError, match='was trained on leaves'):
    train_and_evaluate(config, tmp_path / 'run')


def test_a_companion_must_see_the_same_images(runs, tmp_path):
  _, coarse, _ = runs
  config = helpers.tiny_config(image_size=12)
  config.eval.rules = (f'hie:{coarse}',)
  with pytest.raises(RuleError, match='image_size=None and this one 12'):
    train_and_evaluate(config, tmp_path / 'run')


def test_own_distances_have_no_levels(tmp_path):
  file = tmp_path / 'distances.npy'
  np.save(file, 1.0 - np.eye(30))
  with pytest.raises(DataError, match='config.level needs distances'):
    load_dataset(helpers.tiny_config(level=1, distance=str(file)))


def test_own_distances_are_the_costs(tmp_path):
  file = tmp_path / 'distances.npy'
  np.save(file, 1.0 - np.eye(30))
  data = load_dataset(helpers.tiny_config(distance=str(file)))
  setting = RuleContext(
    data.hierarchy, data.distances, data.kind, lambda workdir: 1
  )
  probs = jax.nn.softmax(jax.random.normal(jax.random.key(0), (40, 30)))
  labels = np.arange(40) % 30
  mask = np.ones(40, bool)
  tables = metrics.MetricTables.create(data.hierarchy, data.distances, (1,))
  chosen = tables.select(['ranking'])
  found = {}
  for name in ('argmax', 'crm'):
    rule = parse_rule(name, setting)
    assert rule.metrics == ('ranking',)
    sums = rule.sums(probs, None, labels, mask, chosen)
    found[name] = rule.finalize(sums, chosen).figures
  # Where all mistakes are equal, least risk is the likeliest class.
  assert found['crm'] == pytest.approx(found['argmax'])
