# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What tests/reference/README.md says of the files beside it."""

import pathlib
import re

from tests import conftest

TESTS = pathlib.Path(__file__).parents[1]
MEGABYTE = 10**6


def table():
  """Rows of the README's table: file -> the tests that it names."""
  rows = {}
  for line in (conftest.REFERENCE / 'README.md').read_text().splitlines():
    if line.startswith('| `'):
      cells = line.strip('| ').split(' | ')
      assert len(cells) == 4 and all(cells), line
      (file,) = re.findall('`([^`]+)`', cells[0])
      assert file not in rows, f'two rows for {file}'
      rows[file] = re.findall('`([^`]+)`', cells[-1])
  return rows


def files():
  """Figures below tests/reference; runs have a README of their own."""
  found = [p for p in conftest.REFERENCE.rglob('*.*') if p.is_file()]
  names = {p.relative_to(conftest.REFERENCE).as_posix(): p for p in found}
  return {
    name: path
    for name, path in names.items()
    if not name.startswith('runs/')
    and path.suffix not in ('.py', '.pyc')
    and name != 'README.md'
  }


def test_every_file_has_its_row():
  assert table().keys() == files().keys()
  assert len(files()) > 20


def test_every_file_is_used_by_the_tests_of_its_row():
  for file, tests in table().items():
    assert tests, f'no test is named for {file}'
    for test in tests:
      text = (TESTS / test).read_text()
      name = re.compile(rf"'{re.escape(pathlib.Path(file).stem)}'")
      assert name.search(text), f'{test} does not name {file}'


def test_files_are_small():
  sizes = {name: path.stat().st_size for name, path in files().items()}
  assert {n: s for n, s in sizes.items() if s >= MEGABYTE} == {}


def test_every_version_of_runs_has_a_readme():
  folders = list((conftest.REFERENCE / 'runs').iterdir())
  assert folders
  assert [f for f in folders if not (f / 'README.md').exists()] == []
