# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""However many devices there are, and however they lie: the same run."""

import json
import pathlib
import subprocess
import sys

import pytest

from hafjax.runtime import mesh
from hafjax.runtime import preemption
from hafjax.train.config import ConfigError
from hafjax.train.config import check_config
from hafjax.train.run import train_and_evaluate
from tests import helpers

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The method with the most state: a frame that turns as the run goes. Its 30
# classes are no multiple of 4 or 8.
FIELDS = {
  'num_epochs': 2,
  'method.rotation.every': 7,
  'collapse.every': 1,
}
VARIANT = 'haframe_nearest'


def config(**fields):
  return helpers.tiny_config(VARIANT, **FIELDS, **fields)


def on_eight_devices(body, **values):
  """Runs Python on eight devices of the CPU; what its last line says."""
  names = ''.join(f'{name} = {value!r}\n' for name, value in values.items())
  script = f"""
import json
import pathlib
from hafjax.runtime import preemption
from hafjax.train.run import train_and_evaluate
from tests import helpers
from tests.runtime import devices_test
{names}
{body}
"""
  done = subprocess.run(
    [sys.executable, '-c', script],
    cwd=ROOT,
    env=helpers.environment(8),
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr[-5000:]
  return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope='module')
def one(tmp_path_factory):
  """A run on one device."""
  folder = tmp_path_factory.mktemp('one')
  train_and_evaluate(config(), folder)
  return folder


def test_eight_devices_give_the_curve_of_one(one, tmp_path):
  body = """
train_and_evaluate(devices_test.config(), folder)
print('null')
"""
  on_eight_devices(body, folder=str(tmp_path / 'eight'))
  helpers.assert_close_runs(config(), one, tmp_path / 'eight')


@pytest.mark.slow
def test_classes_over_devices_give_it_too_and_runs_change_devices(
  one, tmp_path
):
  with helpers.signal_at(11), pytest.raises(preemption.Stopped):
    train_and_evaluate(config(), tmp_path / 'spread')
  body = """
def run(name, model):
  config = devices_test.config(**{'mesh.model': model})
  return train_and_evaluate(config, pathlib.Path(folder) / name)

memory = run('split', 4)['memory']
run('spread', 8)
try:
  with helpers.signal_at(11):
    run('gathered', 4)
except preemption.Stopped:
  print(json.dumps(memory))
"""
  memory = on_eight_devices(body, folder=str(tmp_path))
  train_and_evaluate(config(), tmp_path / 'gathered')
  for name in ('split', 'spread', 'gathered'):
    helpers.assert_close_runs(config(), one, tmp_path / name)
  alone = json.loads((one / 'results.json').read_text())['memory']
  # The backbone's weights, which all devices have, are most of it here.
  assert memory['state_bytes'] < 0.95 * alone['state_bytes']


@pytest.mark.slow
def test_every_kind_of_head_over_devices(tmp_path):
  kinds = [
    dict(variant='cross_entropy', top='linear', microbatches=2),
    {'variant': 'haframe', 'top': 'linear', 'method.frame': 'tree'},
    dict(variant='hier_cos'),
  ]
  body = """
for fields in kinds:
  config = helpers.tiny_config(num_epochs=1, **fields, **{'mesh.model': 4})
  train_and_evaluate(config, pathlib.Path(folder) / config.variant)
print('null')
"""
  on_eight_devices(body, folder=str(tmp_path / 'split'), kinds=kinds)
  for fields in kinds:
    config = helpers.tiny_config(num_epochs=1, **fields)
    alone, split = (tmp_path / f / config.variant for f in ('alone', 'split'))
    train_and_evaluate(config, alone)
    helpers.assert_close_runs(config, alone, split)


def test_sizes_of_the_mesh():
  assert mesh.sizes(8) == (8, 1)
  assert mesh.sizes(8, model=4) == (2, 4)
  assert mesh.sizes(8, data=2, model=4) == (2, 4)
  with pytest.raises(mesh.MeshError, match=r'devices \(8\), got -1 x 3'):
    mesh.sizes(8, model=3)
  with pytest.raises(ConfigError, match='mesh.model that divides'):
    check_config(config(**{'mesh.model': 2}), num_devices=1)
