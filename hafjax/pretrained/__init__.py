# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Weights that others published: files in, our backbones' variables out."""

from hafjax.pretrained.conversion import Report
from hafjax.pretrained.conversion import convert
from hafjax.pretrained.conversion import initial_backbone
from hafjax.pretrained.files import PretrainedError
from hafjax.pretrained.files import load

__all__ = [
  'PretrainedError',
  'Report',
  'convert',
  'initial_backbone',
  'load',
]
