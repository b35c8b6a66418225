# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation: config, setup, state, step, loop, evaluation."""
