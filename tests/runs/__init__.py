# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
