# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""tieredImageNet-H as in the HAFrame paper: ResNet-50, 100 epochs, batch 256.

    python -m hafjax.main --config=configs/tiered_imagenet_h.py --workdir=... \
        --config.data_dir=.../imagenet --config.hierarchy=FILE

Liang and Davis, ICCV 2023: gamma 3.0, alpha 0.5, rates 0.01 (0.1 for a learned
classifier), random resized crops of 224 pixels, mirrored. The folder holds
ILSVRC 2012's images, in any folders below it, and the published lists,
splits_tieredImageNet-H/. The paper starts from weights of ImageNet:
--config.init_from=FILE. Wants an accelerator.
"""

from configs import common


def get_config(variant=None):
  return common.resnet_50_config(
    variant, 'tiered_imagenet_h', gamma=3.0, alpha=0.5
  )
