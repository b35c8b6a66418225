# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share."""

import os
import pathlib
import subprocess
import sys
import tempfile

# Set before jax is imported: compiling dominates the suite's time, and the
# same small programs return in every run.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR',
  os.path.join(tempfile.gettempdir(), 'hafjax_test_compilation_cache'),
)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.3')
# Programs that run for moments: not optimising them saves a third of the time.
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')
if 'XLA_FLAGS' not in os.environ:
  # Nor do XLA's newer kernels pay, which take half as long again to compile.
  # Flags come and go, and one that XLA does not know ends the process: asked
  # once, for pytest's workers inherit what is found.
  os.environ['XLA_FLAGS'] = '--xla_cpu_use_fusion_emitters=false'
  asked = [sys.executable, '-c', 'import jax; jax.devices()']
  if subprocess.run(asked, capture_output=True).returncode:
    os.environ['XLA_FLAGS'] = ''

# Arrays of different ranks meet by mistake more often than on purpose.
os.environ['JAX_NUMPY_RANK_PROMOTION'] = 'raise'

import jax
import jaxtyping
import numpy as np
import pytest

# Figures of published implementations; its README says what computed each.
REFERENCE = pathlib.Path(__file__).parent / 'reference'


@pytest.fixture
def reference():
  """Loads a file of reference figures: name -> arrays by name."""

  def load(name: str) -> dict[str, np.ndarray]:
    file = REFERENCE / f'{name}.npz'
    if not file.exists():
      pytest.fail(f'{file} is missing; it belongs to the repository.')
    with np.load(file) as arrays:
      return dict(arrays)

  return load


@pytest.fixture
def unchecked(monkeypatch):
  """Without checks of annotations, as for users: for tests of our errors."""
  monkeypatch.setattr(jaxtyping.config, 'jaxtyping_disable', True)


@pytest.fixture
def x64():
  """Runs a test in float64."""
  with jax.enable_x64(True):
    yield
