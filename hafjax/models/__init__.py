# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks: backbone (image -> feature map), top (-> features), head."""

import functools
import re

from flax import linen as nn

from hafjax.models import convnet
from hafjax.models import identity
from hafjax.models import mlp
from hafjax.models import resnet
from hafjax.models import vgg
from hafjax.models import vit
from hafjax.models import wide_resnet

_RESNETS = {
  'resnet_18': dict(stage_sizes=(2, 2, 2, 2)),
  'resnet_34': dict(stage_sizes=(3, 4, 6, 3)),
  'resnet_50': dict(stage_sizes=(3, 4, 6, 3), bottleneck=True),
}
_BACKBONES = {
  'convnet': convnet.ConvNet,
  'identity': identity.Identity,
  'mlp': mlp.MLP,
  **{n: functools.partial(resnet.ResNet, **f) for n, f in _RESNETS.items()},
  **{
    f'{n}_small': functools.partial(resnet.ResNet, small_images=True, **f)
    for n, f in _RESNETS.items()
  },
  'vgg_16': vgg.VGG,
}


def build(name: str, **options) -> nn.Module:
  """A backbone by name, such as 'convnet', 'resnet_50' or 'wrn_DEPTH_WIDTH'.

  Args:
    name: for example 'wrn_28_8', the paper's network for CIFAR-100, or
      'vit_s_16', ViT-S with patches of 16 x 16 pixels. Of 'resnet_50_small' the
      first layers are those for images of some 32 pixels.
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
  if match := re.fullmatch(r'vit_([a-z]+)_([1-9]\d*)', name):
    size, patch_size = match.groups()
    if size in vit.SIZES:
      return vit.ViT(int(patch_size), **vit.SIZES[size], **options)
  raise ValueError(
    f'There is no model {name!r}; there are {", ".join(_BACKBONES)}, '
    'vit_SIZE_PATCH (for example vit_s_16; sizes are '
    f'{", ".join(vit.SIZES)}) and wrn_DEPTH_WIDTH (for example wrn_28_8).'
  )


def takes_features(name: str) -> bool:
  """Whether a backbone can take feature vectors [B, d] for images."""
  return name in ('identity', 'mlp')
