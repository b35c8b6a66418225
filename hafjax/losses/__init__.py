# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses: pure functions of arrays, one value per example."""

from hafjax.losses.embedding import class_lengths
from hafjax.losses.embedding import dot_loss
from hafjax.losses.embedding import dot_regression_loss
from hafjax.losses.embedding import embedding_cosine_loss
from hafjax.losses.embedding import ranking_loss
from hafjax.losses.errors import LossError
from hafjax.losses.frame import cosine_frame_loss
from hafjax.losses.frame import haframe_loss
from hafjax.losses.hier_cos import hier_cos_level_predictions
from hafjax.losses.hier_cos import hier_cos_loss
from hafjax.losses.hier_cos import hier_cos_node_scores
from hafjax.losses.hier_cos import hier_cos_scores
from hafjax.losses.levels import flamingo_loss
from hafjax.losses.levels import hafeature_loss
from hafjax.losses.mixing import mixing_schedule
from hafjax.losses.node_logits import conditional_sigmoid_log_probs
from hafjax.losses.node_logits import conditional_sigmoid_loss
from hafjax.losses.node_logits import conditional_softmax_log_probs
from hafjax.losses.node_logits import conditional_softmax_loss
from hafjax.losses.node_logits import soft_max_descendant_loss
from hafjax.losses.node_logits import soft_max_margin_loss
from hafjax.losses.paths import hace_loss
from hafjax.losses.paths import hierarchical_cross_entropy
from hafjax.losses.soft_labels import soft_label_loss
from hafjax.losses.soft_labels import soft_labels
from hafjax.numerics.vectors import unit

__all__ = [
  'LossError',
  'class_lengths',
  'conditional_sigmoid_log_probs',
  'conditional_sigmoid_loss',
  'conditional_softmax_log_probs',
  'conditional_softmax_loss',
  'cosine_frame_loss',
  'dot_loss',
  'dot_regression_loss',
  'embedding_cosine_loss',
  'flamingo_loss',
  'hace_loss',
  'hafeature_loss',
  'haframe_loss',
  'hier_cos_level_predictions',
  'hier_cos_loss',
  'hier_cos_node_scores',
  'hier_cos_scores',
  'hierarchical_cross_entropy',
  'mixing_schedule',
  'ranking_loss',
  'soft_label_loss',
  'soft_labels',
  'soft_max_descendant_loss',
  'soft_max_margin_loss',
  'unit',
]
