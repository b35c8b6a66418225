# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the configs share: a method's variant on a data set.

Every field, with its default and meaning, is in `hafjax/train/config.py`
(docs/config.md lists them all); variants are in the files of `hafjax/methods`.
"""

from ml_collections import config_dict

from hafjax import methods
from hafjax.train import config as config_lib


def get_config(
  variant: str | None = None,
  dataset: str = 'synthetic',
  default: str = 'haframe',
) -> config_dict.ConfigDict:
  """The default config of a variant.

  Args:
    variant: what follows the colon in --config=configs/NAME.py:VARIANT, see
      `methods.variants`.
    dataset: name; its own fields become a group.
    default: variant that None stands for.

  Raises:
    MethodError: if there is no such variant.
  """
  variant, variants = variant or default, methods.variants()
  if variant not in variants:
    raise methods.MethodError(
      f'There is no variant {variant!r}; there are {", ".join(variants)}.'
    )
  chosen = variants[variant]
  return config_lib.create(
    dataset,
    variant=variant,
    method=dict(name=chosen.method, **chosen.parameters),
    **chosen.fields,
  )


def resnet_50_config(
  variant: str | None, dataset: str, *, gamma: float, alpha: float
) -> config_dict.ConfigDict:
  """The HAFrame paper's recipe for photographs: ResNet-50, 224 pixels.

  Args:
    variant: as for `get_config`.
    dataset: its name.
    gamma: HAFrame's, on this data set.
    alpha: likewise; ablations that are about alpha keep theirs.
  """
  config = get_config(variant, dataset)
  if config.method.name == 'haframe':
    config.method.gamma = gamma
    default = methods.variants()['haframe'].parameters['alpha']
    if config.method.alpha == default:
      config.method.alpha = alpha
  config.update(
    model='resnet_50',
    image_size=224,
    batch_size=256,
    eval_batch_size=256,
    num_epochs=100,
  )
  return config
