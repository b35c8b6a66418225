# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Fashion-MNIST under linear layers, trained until classes collapse.

    python -m hafjax.main --config=configs/deep_linear_fashion_mnist.py \
        --config.method.depth=3 --workdir=/tmp/hafjax/deep_linear

Dang et al., ICML 2023 (arXiv 2301.00437). A long tail of 10:1:
--config.imbalance.factor=10. `collapse.jsonl` holds the measures by epoch.
"""

from configs import common


def get_config(variant=None):
  config = common.get_config(variant, 'fashion_mnist', 'deep_linear')
  config.model = 'mlp'
  # Every image as it is: only training images can collapse.
  config.update(crop_padding=0, flip=False)
  config.batch_size = 128
  config.num_epochs = 100
  config.eval_every = 5
  config.collapse.update(every=5)
  # Squared errors of long features: higher rates diverge.
  config.lr.update(backbone=0.1, transformation=0.1, classifier=0.02)
  return config
