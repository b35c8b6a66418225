# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs that earlier versions recorded go on: see tests/reference/runs."""

import importlib
import json
import zipfile

import jax
import numpy as np
import pytest

from hafjax.files import jsonl
from hafjax.runs import record as records
from hafjax.runs.find import find_runs
from hafjax.train import config as config_lib
from hafjax.train.recorded import recorded_config
from hafjax.train.rerun import evaluate_run
from hafjax.train.run import train_and_evaluate
from tests.conftest import REFERENCE

VERSIONS = [folder for folder in (REFERENCE / 'runs').iterdir()]


def unpacked(version, name, folder):
  with zipfile.ZipFile(version / f'{name}.zip') as archive:
    archive.extractall(folder / name)
  return folder / name


def assert_close(values, others):
  """Equal numbers, to rounding; others may lack what came later."""
  assert others.keys() <= values.keys()
  for name, value in others.items():
    if isinstance(value, float) and name != 'images_per_second':
      assert values[name] == pytest.approx(value, rel=2e-3, abs=2e-4), name


def test_there_is_a_run_of_a_former_version():
  assert VERSIONS


@pytest.mark.parametrize('version', VERSIONS, ids=lambda folder: folder.name)
def test_a_stopped_run_is_continued_to_the_same_end(version, tmp_path):
  """Same order, augmentation, and turning frame as without the stop."""
  folder = unpacked(version, 'stopped', tmp_path)
  whole = unpacked(version, 'whole', tmp_path)
  results = train_and_evaluate(recorded_config(folder), folder)
  expected = json.loads((whole / 'results.json').read_text())
  for split in ('val', 'test', 'last_train'):
    # What an epoch's training split is measured by was all metrics once.
    names = results[split].keys() & expected[split].keys()
    assert {'top1', 'mistake_severity', 'loss'} <= names
    assert_close(results[split], {n: expected[split][n] for n in names})
  for name in ('metrics.jsonl', 'collapse.jsonl'):
    lines, others = (jsonl.read_lines(f / name) for f in (folder, whole))
    for line, other in zip(lines, others, strict=True):
      common = line.keys() & other.keys()
      assert_close(line, {key: other[key] for key in common})
  with np.load(folder / 'predictions.npz') as arrays:
    with np.load(whole / 'predictions.npz') as others:
      for name in ('class_means', 'frame'):
        np.testing.assert_allclose(
          arrays[name], others[name], rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize('version', VERSIONS, ids=lambda folder: folder.name)
def test_a_finished_run_is_reported_and_measured_again(version, tmp_path):
  folder = unpacked(version, 'finished', tmp_path)
  before = json.loads((folder / 'results.json').read_text())
  assert train_and_evaluate(recorded_config(folder), folder) == before
  (run,) = find_runs([folder])
  assert run.results == before
  # Not done again, but a rule is added.
  config = recorded_config(folder)
  config.eval.rules = ('crm', 'selective', 'hie')
  results = train_and_evaluate(config, folder)
  assert results['rules'].keys() == {'crm', 'selective', 'hie'}
  assert results['test'] == before['test']
  again = evaluate_run(folder)
  for split in ('val', 'test'):
    assert_close(again[split], before[split])
    for rule in ('crm', 'selective'):
      assert_close(again['rules'][rule][split], before['rules'][rule][split])
  assert json.loads((folder / 'results.json').read_text()) == again


@pytest.mark.parametrize('version', VERSIONS, ids=lambda folder: folder.name)
def test_another_setting_is_another_run(version, tmp_path):
  folder = unpacked(version, 'finished', tmp_path)
  config = recorded_config(folder)
  config.lr.backbone = 0.3
  with pytest.raises(records.CheckpointError, match='lr.backbone'):
    train_and_evaluate(config, folder)


@pytest.mark.parametrize('version', VERSIONS, ids=lambda folder: folder.name)
def test_configs_of_then_are_those_of_now(version):
  """Each config file still makes the runs that it made."""
  recorded = json.loads((version / 'configs.json').read_text())
  for name, old in recorded.items():
    config = importlib.import_module(f'configs.{name}').get_config()
    new = json.loads(config.to_json())
    assert config_lib.identity(old) == config_lib.identity(new), name


def test_a_field_that_came_later_has_the_value_of_before(monkeypatch):
  from hafjax.plugins import fields

  field = fields.Field(2, fields.at_least(0), 'New.', before=0)
  monkeypatch.setitem(config_lib.FIELDS, 'new_field', field)
  config = json.loads(config_lib.create().to_json())
  old = {k: v for k, v in config.items() if k != 'new_field'}
  assert config['new_field'] == 2
  assert config_lib.completed(old)['new_field'] == 0
  assert config_lib.identity(old) != config_lib.identity(config)
  config['new_field'] = 0
  assert config_lib.identity(old) == config_lib.identity(config)


def test_new_runs_name_their_version(tmp_path):
  assert records.streams(tmp_path) == records.STREAMS
  (tmp_path / 'run.json').write_text(
    json.dumps(dict(config={}, classes=['a', 'b']))
  )
  assert records.streams(tmp_path) == records.FIRST_STREAMS


def test_streams_differ_between_versions():
  class Setup:
    seed = 3

  from hafjax.train import step

  keys = []
  for Setup.streams in (records.FIRST_STREAMS, records.STREAMS):
    keys.append(jax.random.key_data(step.step_key(Setup, 5)))
  assert not np.array_equal(*keys)
  old = jax.random.fold_in(jax.random.key(4), 5)
  np.testing.assert_array_equal(keys[0], jax.random.key_data(old))
