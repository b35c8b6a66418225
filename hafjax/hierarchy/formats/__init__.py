# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""File formats of hierarchies, a module each; `registry` lists them."""
