# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves of inference rules, from results.json to tables."""

import json

import pytest

from hafjax.runs import tables
from hafjax.runs.curves import Curve
from hafjax.runs.curves import read_curve
from hafjax.runs.schema import RunFileError
from hafjax.runs.schema import check_results

CURVE = Curve(
  columns=dict(size=[1, 2, 4], miss=[0.5, 0.25, 0.0], level=[0.0, 0.5, 1.0]),
  x='size',
  y='miss',
  parameter='level',
  area=0.7,
  marks=(0.4, 1.0),
  note='Size is that of the answer.',
)
# As rules wrote it before results.json described curves.
OLD = dict(
  threshold=[0.0, 0.5, 1.0],
  coverage=[1.0, 0.9, 0.3],
  accuracy=[0.8, 0.9, 1.0],
  risk=[0.2, 0.1, 0.0],
  depth=[3.0, 2.5, 1.0],
  area=0.1,
)


def results(**rules):
  metrics = dict(top1=0.5)
  return dict(
    variant='a',
    seed=0,
    test=metrics,
    val=metrics,
    rules={
      name: dict(test=figures, val=figures) for name, figures in rules.items()
    },
  )


def test_a_curve_is_read_as_it_was_written():
  figures = json.loads(json.dumps(CURVE.as_json()))
  assert read_curve(figures) == CURVE
  # Beside metrics, too.
  assert read_curve(figures | dict(top1=0.5)) == CURVE
  check_results(results(mine=figures | dict(top1=0.5)))
  assert read_curve(dict(top1=0.5, threshold=0.5)) is None


def test_a_curve_of_an_older_run():
  curve = read_curve(OLD)
  assert (curve.x, curve.y, curve.parameter) == (
    'coverage',
    'risk',
    'threshold',
  )
  assert curve.area == 0.1 and curve.columns['depth'] == OLD['depth']
  check_results(results(selective=OLD))


def test_tables_know_curves_and_not_rules():
  table = tables.curve_table(
    [results(mine=CURVE.as_json() | dict(extra=3.0), old=OLD, crm=dict(top1=1))]
  )
  first, second = table.split('\n\n')
  cells = [
    [cell.strip() for cell in line.split('|')[1:-1]]
    for line in first.splitlines()
  ]
  assert cells[0] == [
    *('method', 'runs', 'area', 'extra'),
    *('size@0.4', 'miss@0.4', 'size@1.0', 'miss@1.0'),
  ]
  assert cells[2] == [
    *('a + mine', '1', '0.700', '3.000'),
    *('2.000', '0.250', '4.000', '0.000'),
  ]
  assert 'coverage@0.5' in second and 'a + old' in second
  assert tables.curve_table([results()]) == ''


@pytest.mark.parametrize(
  'change, words',
  [
    (dict(miss=[0.5, 0.25]), "as 'miss', which is no list of as many numbers"),
    (dict(size=[1, 'x', 4]), "as 'size', which is no list of as many numbers"),
    (dict(size='x'), "has no list 'size'"),
    (dict(size=[], miss=[], level=[]), 'no list of as many numbers'),
    (dict(area='x'), 'has no area'),
    (dict(curve=3), "has 3 as 'curve', which must have x"),
    (dict(curve=dict(x='size', y='miss')), 'which must have x'),
    (dict(other='x'), "has 'x' as 'other', which is no number"),
  ],
)
def test_damaged_curves_are_refused(change, words):
  with pytest.raises(RunFileError, match=words):
    check_results(results(mine=CURVE.as_json() | change))


@pytest.mark.parametrize('name', ['coverage', 'risk'])
def test_older_curves_need_their_columns(name):
  figures = {key: value for key, value in OLD.items() if key != name}
  with pytest.raises(RunFileError, match=f'has no list .{name}'):
    check_results(results(selective=figures))
