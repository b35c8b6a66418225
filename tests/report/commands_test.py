# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from hafjax.runs import tables

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Runs of seconds; the same on the command line as tests.helpers.tiny_config.
TINY = [
  '--config.model=mlp',
  '--config.num_epochs=1',
  '--config.batch_size=16',
  '--config.synthetic.image_size=8',
  '--config.synthetic.train_per_class=4',
  '--config.synthetic.val_per_class=2',
  '--config.synthetic.test_per_class=2',
]


def command(module, *args):
  return subprocess.run(
    [sys.executable, '-m', module, *args],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )


def test_intervals_are_students():
  values = [0.1, 0.4, 0.2, 0.3, 0.9]
  mean, half = tables.mean_and_interval(values)
  low, high = scipy.stats.t.interval(
    0.95, 4, loc=np.mean(values), scale=scipy.stats.sem(values)
  )
  assert (mean - half, mean + half) == pytest.approx((low, high))
  mean, half = tables.mean_and_interval([0.5])
  assert mean == 0.5 and math.isnan(half)


def test_paired_differences_are_those_of_scipy():
  rng = np.random.default_rng(0)
  values, others = rng.normal(size=(2, 6))
  expected = scipy.stats.ttest_rel(values, others)
  low, high = expected.confidence_interval(0.95)
  mean, half, p = tables.paired_difference(values, others)
  assert (mean - half, mean + half) == pytest.approx((low, high))
  assert p == pytest.approx(expected.pvalue)
  # All pairs differ by the same, by nothing, or there is one.
  assert tables.paired_difference([1, 2, 3], [0, 1, 2]) == (1, 0, 0)
  mean, half, p = tables.paired_difference([1, 2], [1, 2])
  assert (mean, half) == (0, 0) and math.isnan(p)
  mean, half, p = tables.paired_difference([3], [1])
  assert mean == 2 and math.isnan(half) and math.isnan(p)
  with pytest.raises(ValueError, match='got 2 and 3'):
    tables.paired_difference([1, 2], [1, 2, 3])


def test_a_table_gathers_seeds():
  def result(variant, seed, top1):
    metrics = {'top1': top1, 'mistake_severity': 1.5, 'loss': 0.1}
    return dict(variant=variant, seed=seed, test=metrics)

  table = tables.results_table(
    [result('a', 0, 0.5), result('b', 0, 0.25), result('a', 1, 0.7)]
  ).splitlines()
  assert table[0].split('|')[1:-1] == [
    ' method ',
    ' runs ',
    '        top-1 % ',
    '      severity ',
  ]
  half = 100 * 0.1 * scipy.stats.t.ppf(0.975, 1)
  assert f'60.00 ± {half:.2f}' in table[2] and '1.500 ± 0.000' in table[2]
  assert '25.00 ' in table[3] and '±' not in table[3]


@pytest.mark.slow
def test_compare_trains_what_is_missing(tmp_path):
  args = [
    '--config=configs/quickstart.py',
    '--methods=haframe,cross_entropy',
    f'--workdir={tmp_path}',
    *TINY,
  ]
  first = command('experiments.compare', *args, '--seeds=0')
  assert first.returncode == 0, first.stderr
  done = tmp_path / 'haframe' / '0' / 'results.json'
  stamp = done.stat().st_mtime_ns
  second = command('experiments.compare', *args, '--seeds=0,1')
  assert second.returncode == 0, second.stderr
  assert done.stat().st_mtime_ns == stamp
  table = (tmp_path / 'table.md').read_text()
  assert table in second.stderr
  rows = table.splitlines()[2:]
  assert [row.split()[1:4:2] for row in rows] == [
    ['haframe', '2'],
    ['cross_entropy', '2'],
  ]
  results = json.loads((tmp_path / 'table.json').read_text())
  assert [(r['variant'], r['seed']) for r in results] == [
    ('haframe', 0),
    ('haframe', 1),
    ('cross_entropy', 0),
    ('cross_entropy', 1),
  ]
  tops = [r['test']['top1'] for r in results[:2]]
  assert f'{100 * np.mean(tops):.2f} ±' in rows[0]


@pytest.mark.slow
def test_compare_chooses_learning_rates(tmp_path):
  ended = command(
    'experiments.compare',
    '--config=configs/quickstart.py',
    '--methods=cross_entropy',
    '--rates=0.0001,1',
    '--seeds=0',
    f'--workdir={tmp_path}',
    *TINY,
    # Easy enough to learn something.
    '--config.num_epochs=6',
    '--config.synthetic.noise=0.5',
    '--config.synthetic.max_shift=0',
  )
  assert ended.returncode == 0, ended.stderr
  (row,) = (tmp_path / 'table.md').read_text().splitlines()[2:]
  assert row.startswith('| cross_entropy (x 1) |')
  runs = {
    str(f.parent.relative_to(tmp_path)) for f in tmp_path.rglob('run.json')
  }
  assert runs == {
    'rate_0.0001/cross_entropy/1000',
    'rate_1/cross_entropy/1000',
    'rate_1/cross_entropy/0',
  }


@pytest.mark.parametrize(
  'args, message',
  [
    (['--config.method.gamma=-2.0'], 'gamma must be a positive number'),
    # Told by the same lines: config_test has them without a process each.
    pytest.param(
      ['--config.batch_size=0'],
      'batch_size must be an integer',
      marks=pytest.mark.slow,
    ),
    pytest.param(
      ['--config.hierarchy=nowhere.txt'], 'nowhere.txt', marks=pytest.mark.slow
    ),
  ],
)
def test_users_errors_are_one_sentence(tmp_path, args, message):
  ended = command(
    'hafjax.main',
    '--config=configs/quickstart.py',
    f'--workdir={tmp_path / "run"}',
    *args,
  )
  assert ended.returncode == 1
  assert 'Traceback' not in ended.stderr
  assert message in ended.stderr.splitlines()[-1]
  assert not (tmp_path / 'run').exists()
