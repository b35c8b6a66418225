# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A page of what runs have found: `python -m hafjax.report WORKDIR...`."""
