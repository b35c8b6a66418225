# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What pip installs: every file that the code reads."""

import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_files_beside_the_code_are_declared():
  content = tomllib.loads((ROOT / 'pyproject.toml').read_text())
  declared = {
    file
    for package, patterns in content['tool']['setuptools'][
      'package-data'
    ].items()
    for pattern in patterns
    for file in (ROOT / package.replace('.', '/')).glob(pattern)
  }
  present = {
    file
    for file in (ROOT / 'hafjax').rglob('*')
    if file.is_file() and file.suffix not in ('.py', '.pyc')
  }
  assert declared == present
  assert ROOT / 'hafjax' / 'report' / 'style.css' in present
