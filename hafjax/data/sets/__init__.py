# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""One file a data set, found by its name; each offers `SPEC`."""
