# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rules: from any method's class probabilities to decisions.

They know the tree and not how the probabilities were made. K classes, N nodes,
B examples; a `hierarchy` is a constant of the function that is compiled.
"""

from hafjax.decisions.crm import crm
from hafjax.decisions.crm import crm_tree
from hafjax.decisions.hie import coarse_labels
from hafjax.decisions.hie import hie
from hafjax.decisions.nodes import hierarchical_coverage
from hafjax.decisions.nodes import node_probabilities
from hafjax.decisions.selective import area_under_risk_coverage
from hafjax.decisions.selective import selective
from hafjax.decisions.selective import selective_curve

__all__ = [
  'area_under_risk_coverage',
  'coarse_labels',
  'crm',
  'crm_tree',
  'hie',
  'hierarchical_coverage',
  'node_probabilities',
  'selective',
  'selective_curve',
]
