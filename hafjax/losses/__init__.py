# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses: pure functions of arrays, one value per example."""

from hafjax.losses.frame import cosine_frame_loss
from hafjax.losses.frame import haframe_loss
from hafjax.losses.frame import unit
from hafjax.losses.schedules import mixing_schedule

__all__ = ['cosine_frame_loss', 'haframe_loss', 'mixing_schedule', 'unit']
