# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The network: backbone, neck and head."""

from flax import linen as nn

from hafjax.models.outputs import HeadOutputs
from hafjax.runtime import mesh


class Network(nn.Module):
  """A backbone, a neck and a head.

  Parameters are grouped under the three names below, as far as each part has
  any.

  Attributes:
    backbone: (images, train) -> (feature map, intermediates).
    transformation: a neck, (feature map, train) -> features.
    classifier: a head, features -> `HeadOutputs`.
  """

  backbone: nn.Module
  transformation: nn.Module
  classifier: nn.Module

  def __call__(self, images, train: bool) -> HeadOutputs:
    """float[B, h, w, c] -> the head's outputs, with all intermediates."""
    feature_map, intermediates = self.backbone(images, train)
    feature_map = mesh.over_data(feature_map)
    outputs = self.classifier(self.transformation(feature_map, train))
    return outputs.replace(
      intermediates={**intermediates, **outputs.intermediates}
    )
