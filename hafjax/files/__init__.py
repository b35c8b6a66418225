# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that may be damaged: arrays, JSON lines, and text for messages."""
