# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Backbone, top and head put together."""

from flax import linen as nn

from hafjax.runtime import mesh


class Network(nn.Module):
  """Images to a head's outputs.

  Parameters are grouped under the three names below, as far as each part has
  any.

  Attributes:
    backbone: (images, train) -> (feature map, intermediates).
    transformation: a top, (feature map, train) -> features.
    classifier: a head, features -> dict of outputs.
  """

  backbone: nn.Module
  transformation: nn.Module
  classifier: nn.Module

  def __call__(self, images, train: bool):
    """float[B, h, w, c] -> the head's outputs, and all 'intermediates'."""
    feature_map, intermediates = self.backbone(images, train)
    feature_map = mesh.over_data(feature_map)
    outputs = self.classifier(self.transformation(feature_map, train))
    intermediates = intermediates | outputs.get('intermediates', {})
    return dict(outputs, intermediates=intermediates)
