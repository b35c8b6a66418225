# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weights that others published: files in, our backbones' variables out."""

from hafjax.models.pretrained.conversion import Report
from hafjax.models.pretrained.conversion import convert
from hafjax.models.pretrained.conversion import initial_backbone
from hafjax.models.pretrained.files import PretrainedError
from hafjax.models.pretrained.files import load

__all__ = [
  'PretrainedError',
  'Report',
  'convert',
  'initial_backbone',
  'load',
]
