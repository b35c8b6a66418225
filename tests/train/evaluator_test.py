# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics by choice, rules of one's own, and how often anything compiles."""

import logging

import jax
import numpy as np
import pytest

from hafjax import metrics
from hafjax.data import load_dataset
from hafjax.runs.curves import read_curve
from hafjax.runtime.devices import Devices
from hafjax.train import evaluator as evaluator_lib
from hafjax.train.collapse import CollapsePass
from hafjax.train.evaluator import Evaluator
from hafjax.train.rules import RuleContext
from hafjax.train.rules import RuleError
from hafjax.train.rules import parse_rule
from hafjax.train.setup import make_experiment
from tests import helpers

CHEAP = ('loss', 'ranking', 'alignment')


@pytest.fixture
def parts():
  config = helpers.tiny_config()
  data = load_dataset(config)
  experiment = make_experiment(config, data)
  device = Devices(data)
  return experiment, data, device, device.initial_state(experiment)


@pytest.fixture
def compiled(caplog):
  """Names of the functions compiled since it was called last."""
  with jax.log_compiles(), caplog.at_level(logging.WARNING):

    def names():
      messages = [record.getMessage() for record in caplog.records]
      caplog.clear()
      return [m.split()[4] for m in messages if m.startswith('Finished XLA')]

    yield names


def test_chosen_metrics_are_those_of_all(parts):
  experiment, data, device, state = parts
  evaluator = Evaluator(experiment, data, device)
  few = evaluator.evaluate(state, 'test', 64, CHEAP)
  # As two programs, of which one was there; and as one.
  everything = evaluator.evaluate(state, 'test', 64)
  whole = Evaluator(experiment, data, device).evaluate(state, 'test', 64)
  assert everything == pytest.approx(whole, rel=1e-6)
  assert list(everything) == list(whole)
  assert few == pytest.approx({n: whole[n] for n in few}, rel=1e-6)
  assert 'hops' not in few and {'loss', 'top1', 'feature_cosine'} <= few.keys()
  with pytest.raises(ValueError, match="no metric 'magic'"):
    evaluator.evaluate(state, 'test', 64, ['magic'])


def test_classes_ranked_on_the_host_make_no_difference(parts, monkeypatch):
  experiment, data, device, state = parts
  on_device = Evaluator(experiment, data, device).evaluate(state, 'test', 64)
  calls = []
  rank = evaluator_lib.base.rank_on_host
  monkeypatch.setattr(
    evaluator_lib.base,
    'rank_on_host',
    lambda *args: calls.append(args) or rank(*args),
  )
  monkeypatch.setattr(evaluator_lib, '_RANK_ON_HOST', 2)
  on_host = Evaluator(experiment, data, device).evaluate(state, 'test', 64)
  assert calls and on_host == pytest.approx(on_device, rel=1e-6)


def test_everything_compiles_once(parts, compiled):
  experiment, data, device, state = parts
  evaluator = Evaluator(experiment, data, device)
  passes = CollapsePass(experiment, data, device, 64, evaluator.network)
  context = RuleContext(data.hierarchy, data.distances, data.kind, lambda _: 1)
  rules = [parse_rule(name, context) for name in ('crm', 'selective')]
  evaluator.evaluate(state, 'val', 64, CHEAP)
  assert {'jit(forward_step)', 'jit(metric_step)'} <= set(compiled())
  # Other splits and states are no reason to compile.
  other = jax.tree.map(lambda x: x + 0, state)
  compiled()
  evaluator.evaluate(other, 'test', 64, CHEAP)
  assert compiled() == []
  evaluator.evaluate(state, 'val', 64)
  assert compiled() == ['jit(metric_step)']
  evaluator.evaluate_and_predict(state, 'test', 64)
  assert set(compiled()) == {'jit(_prediction_step)', 'jit(_class_vectors)'}
  passes.collapse(state, 'train')
  assert 'jit(forward_step)' not in compiled()
  evaluator.rules(state, rules, {}, ('val', 'test'), 64)
  assert 'jit(forward_step)' not in compiled()
  # Alone, it has a network of its own.
  CollapsePass(experiment, data, device, 64).collapse(state, 'train')
  assert 'jit(forward_step)' in compiled()


def test_collapse_needs_no_outputs_kept(parts, monkeypatch):
  experiment, data, device, state = parts
  passes = CollapsePass(experiment, data, device, 64)
  kept = passes.collapse(state, 'train', ('features', 'level1'))
  monkeypatch.setattr('hafjax.train.collapse._KEPT_BYTES', 0)
  again = passes.collapse(state, 'train', ('features', 'level1'))
  assert kept == again


def test_a_rule_with_a_curve_is_one_file(parts, tmp_path, monkeypatch):
  experiment, data, device, state = parts
  folder = tmp_path / 'mylab'
  folder.mkdir()
  (folder / 'topsets.py').write_text(
    """
import jax.numpy as jnp
from hafjax.runs.curves import Curve
from hafjax.train.rules import Rule, RuleResult

def build(name, context, *, argument):
  sizes = [int(size) for size in argument.split('-')]

  def sums(probs, coarse, labels, mask, metrics):
    own = jnp.take_along_axis(probs, labels[:, None], axis=1)
    rank = jnp.sum(probs > own, axis=1)
    return dict(
      miss=[jnp.sum(mask & (rank >= size)) for size in sizes],
      count=mask.sum(),
    )

  def finalize(sums, metrics):
    miss = [float(m / sums['count']) for m in sums['miss']]
    columns = dict(size=sizes, miss=miss)
    curve = Curve(columns, 'size', 'miss', 'size', sum(miss), (1,))
    return RuleResult({}, curve)

  return Rule(name, sums, finalize)
"""
  )
  monkeypatch.syspath_prepend(str(tmp_path))
  context = RuleContext(data.hierarchy, data.distances, data.kind, lambda _: 1)
  rule = parse_rule('mylab.topsets:1-5', context)
  evaluator = Evaluator(experiment, data, device)
  found = evaluator.rules(state, [rule], {}, ('test',), 64)
  curve = read_curve(found['mylab.topsets:1-5']['test'])
  top = evaluator.evaluate(state, 'test', 64)
  np.testing.assert_allclose(
    curve.columns['miss'], [1 - top['top1'], 1 - top['top5']], rtol=1e-6
  )
  with pytest.raises(RuleError, match='config.eval.rules: .*mylab.none'):
    parse_rule('mylab.none', context)


def test_no_example_is_no_metric():
  tree = load_dataset(helpers.tiny_config()).hierarchy
  chosen = metrics.MetricTables.create(tree).select(['ranking'])
  with pytest.raises(ValueError, match='no examples'):
    metrics.finalize(chosen, None)
