# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes files that may be damaged; text for error messages."""
