# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""iNaturalist 2019 as in the HAFrame paper: ResNet-50, 100 epochs, batch 256.

    python -m hafjax.main --config=configs/inaturalist19.py --workdir=... \
        --config.data_dir=.../inaturalist19

Liang and Davis, ICCV 2023: gamma 5.0, alpha 0.4, rates 0.01 (0.1 for a learned
classifier), random resized crops of 224 pixels, mirrored. The folder holds
train_val2019/, as it is unpacked, the published lists, splits_inat19/, and
categories.json or train2019.json, from which the hierarchy is built. The paper
starts from weights of ImageNet: --config.init_from=FILE. Wants an accelerator.
"""

from configs import common


def get_config(variant=None):
  return common.resnet_50_config(variant, 'inaturalist19', gamma=5.0, alpha=0.4)
