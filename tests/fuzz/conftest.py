# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fuzzing meets our own checks of values, not those of annotations."""

import jaxtyping
import pytest


@pytest.fixture(scope='module', autouse=True)
def _unchecked():
  jaxtyping.config.update('jaxtyping_disable', True)
  yield
  jaxtyping.config.update('jaxtyping_disable', False)
