# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks: backbone (image -> feature map), top (-> features), head."""

import re

from flax import linen as nn

from hafjax.models import convnet
from hafjax.models import identity
from hafjax.models import mlp
from hafjax.models import wide_resnet

_BACKBONES = {
  'convnet': convnet.ConvNet,
  'identity': identity.Identity,
  'mlp': mlp.MLP,
}


def build(name: str, **options) -> nn.Module:
  """A backbone by name: 'convnet', 'mlp', or 'wrn_DEPTH_WIDTH'.

  Args:
    name: for example 'wrn_28_8', the paper's network for CIFAR-100.
    **options: fields of the module, such as `dtype`.

  Returns:
    A module: (images float[B, h, w, c], train) -> (map [B, h', w', C], dict of
    intermediates).

  Raises:
    ValueError: if there is no such backbone.
  """
  if name in _BACKBONES:
    return _BACKBONES[name](**options)
  if match := re.fullmatch(r'wrn_(\d+)_(\d+)', name):
    depth, width = map(int, match.groups())
    wide_resnet.check(depth, width)
    return wide_resnet.WideResNet(depth, width, **options)
  raise ValueError(
    f'There is no model {name!r}; there are {", ".join(_BACKBONES)} and '
    'wrn_DEPTH_WIDTH (for example wrn_28_8).'
  )
