# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Copies from folders of complete figures what the tests compare with.

    python tests/reference/trim.py FOLDER

FOLDER has `reference/*.npz`, `theory/*.json` and `hierarchies/*.txt`. To
compare with more arrays, add their names to `ARRAYS` and run this again.
"""

import fnmatch
import json
import pathlib
import shutil
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent

# Patterns of the arrays that are kept, by file, and after '!' of exceptions.
ARRAYS = {
  'cosine': '*outputs* labels embeddings* cosine_* ranking_* xent_* '
  'target_distance target_similarity',
  'crm': 'paths probabilities cost risk order',
  'deep_linear': 'pred/*/counts pred/*/M pred/*/lambda_? pred/*/s*_global '
  'pred/*/loss_min pred/*/x_ref_imbalanced tiny/*/counts tiny/*/M '
  'tiny/*/lambda_? tiny/*/loss_numeric tiny/*/WWt_* tiny/*/HtH_* '
  'synth/*/counts synth/*/M synth/*/lambda_? synth/*/lr synth/*/y '
  'synth/*/H0 synth/*/W?_init synth/*_step synth/*/losses '
  'synth/*/loss_final',
  'distances': '*_distance *_distance_depth *_distance_released',
  'etf': '*/M */x */y */y_b */feat */H_length_random */Ew */cls_num_list '
  '*/global_Ew */loss */grad */lam',
  'flamingo': 'tree */x */y */W? */b? */loss */output */grad_x */grad_W? '
  '*/grad_b? */logits?',
  'frames': '*_distance *_gammas *_min_sim_exp *100_min_sim_lin '
  '*aircraft_min_sim_lin *_q_exp *_exact_* *_S_by_distance_exp !*_mineig_*',
  'hafeature': 'tree */x */y */W? */b? */loss */output */grad_x */grad_W? '
  '*/grad_b? */logits? */ce */jsd */wcons */dissim */pairs */shuffle_order',
  'haframe_loss': '?_features ?_classifier ?_labels ?_loss_batchmean ?_grad '
  '?_cosine_term beta_alpha schedule_*',
  'hiclass_metrics': 'cifar100/paths cifar100/nodes cifar100/labels '
  'cifar100/probabilities cifar100/level_prediction cifar100/level_ece',
  'hiercos': '*/node_labels */classes */node_parent */node_prob '
  'cifar/leaf_level_labels */alpha */y */logits */loss */l_kl */l_aux '
  'cifar/Q tiered/Q cifar/features tiered/features cifar/leaf_scores '
  'tiered/leaf_scores cifar/grad_logits tiered*/grad_logits */grad_features '
  '*/grad_logits_kl */level_node_scores */level_accuracy */fpa_subspace',
  'hops_fpa': '*/ranking */logits */y */hops */hops20 */hops5 */fpa */tree',
  'hxe': '?_paths ?_logits ?_labels ?_alphas ?_loss ?_grad',
  'mbm_metrics': 'paths distance logits labels ks topk_accuracy hdist_* '
  'derived_* raw_top1 raw_mistake raw_hie_avg_* crm_top1 crm_mistake '
  'crm_hie_avg_*',
  'nc_metrics': 'X y W b counts X_ood td/nc1 td/nc3_WH td/wh_b td/wh_nobias '
  'td/Sigma_W td/mu_? fs/nc2_etf_[HW] fs/nc2_id_[HW] fs/nc3_id_WH '
  'fs/nc3_W_sub_H fs/nc3_W_sub_H_centred fs/lambda_h fs/gof_*/s '
  'fs/gof_*/nc?_?? fs/gof_*/nc?_? fs/gof_*/nc3_W_sub_H fs/gof_*/nc3_W_div_H '
  'haf/W haf/X_haf haf/*_mean haf/*_std haf/*_duality rw/var_norms rw/y_ood '
  'rw/mG_ood rw/nc1_pinv rw/nc1_svd rw/nc1_quotient rw/nc1_cdnv '
  'rw/nc1_cdnv_exp2 rw/cdnv_grid_offdiag rw/nc2_etf_err rw/nc2g_dist '
  'rw/nc2g_log rw/nc2g_riesz rw/nc3_dual_err rw/nc3u_uni_dual '
  'rw/nc3u_uni_dual_cos rw/nc3_dist_normed rw/nc4_agree rw/nc4_hits '
  'rw/nc5_ood_dev rw/nc*_wmean !rw/nc3u_sim_* !rw/nc3_dist_raw_*',
  'nearest_etf': '*/Y */Prox */delta */cost_closed */cost_tr_projected '
  '*/ETF_closed big?/cost_noprox_closed big?/cost_noprox_tr_projected '
  '*/second_call/anchor */second_call/G */second_call/grad_Y_* '
  '*/gram/P_closed */gram/S_sqrt */gram/obj_*',
  'node_decisions': '*/paths */nodes */probabilities */node_probabilities '
  '*/path_length */rules */answer */derived_crm',
  'resnet_features': 'input64 resnet50/*',
  'selective': '*/paths */nodes */probabilities */labels */node_probabilities '
  '*/coverage */thresholds */climbing/answer */climbing/risk '
  '*/climbing/curve */climbing/haurc',
  'soft_labels': 'distance logits labels betas soft_labels loss grad '
  'loss_batchmean',
  'vit_features': 'input48 vit_small_patch16_224/* resample/7to4/out '
  'resample/4to7/out resample/7to4/in resample/4to7/in',
  'yolo': 'paths node_names logits labels alphas loss grad leaf_probabilities',
}
# What is kept of the settings of the theory's pages: which, and of those what.
SETTINGS = {
  'deep_linear_networks': (
    lambda setting: True,
    'id loss class_counts dims weight_decays feature_decay bias bias_decay '
    'status mode_order objective zero_objective etf_objective collapsed '
    'singular_values layer_singular_values feature_singular_values '
    'classifier_gram class_mean_gram logit_means bias_vector',
  ),
  'unconstrained_features': (
    lambda setting: setting['part'] == 'fixed',
    'id loss alpha temperature class_counts feature_decay frame tree gamma '
    'min_similarity objective cosines feature_norms',
  ),
}


def is_kept(key: str, patterns: str) -> bool:
  def matches(pattern):
    return fnmatch.fnmatchcase(key, pattern.removeprefix('!'))

  found = [p.startswith('!') for p in patterns.split() if matches(p)]
  return bool(found) and not any(found)


def main(folder: pathlib.Path):
  for name, patterns in ARRAYS.items():
    with np.load(folder / 'reference' / f'{name}.npz') as arrays:
      kept = {
        key: arrays[key] for key in arrays.files if is_kept(key, patterns)
      }
    np.savez_compressed(HERE / f'{name}.npz', **kept)
  for name, (is_used, keys) in SETTINGS.items():
    content = json.loads((folder / 'theory' / f'{name}.json').read_text())
    rows = [
      json.dumps({key: row[key] for key in keys.split() if key in row})
      for row in content['settings']
      if is_used(row)
    ]
    text = ',\n'.join(rows)
    (HERE / f'{name}.json').write_text(f'{{"settings": [\n{text}\n]}}\n')
  (HERE / 'hierarchies').mkdir(exist_ok=True)
  for file in sorted((folder / 'hierarchies').glob('*.txt')):
    shutil.copyfile(file, HERE / 'hierarchies' / file.name)


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
