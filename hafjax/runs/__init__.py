# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run on disk: its record, checkpoints, logs, results and tables."""
