"""Quantizer, self-correction, networks, losses, gradients and one whole step against the official code's numbers, on the CPU."""

import unittest
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from .. import quantizer, rope, t5, transformer
from ..checkpoint import load_weights
from ..correction import correct
from ..optimizer import Optimizer
from ..plan import Template
from ..resize import resize
from ..t5 import T5Encoder
from ..text_to_bits import example, rows
from ..transformer import Transformer, cross_entropy, scale_weights
from ..vae import OFFICIAL_GROUPS, Vae
from .golden import Case, cases, grids

POSITIONS = {0: "rope_plain", 1: "rope_interpolated", 2: "rope_normalized"}
RENAMED = [
    ("text_proj_for_sos.ca.", "text_proj_for_sos."),
    ("text_proj_for_ca.0.", "text_proj_for_ca.fc1."),
    ("text_proj_for_ca.2.", "text_proj_for_ca.fc2."),
    ("shared_ada_lin.1.", "shared_ada_lin."),
    ("head_nm.ada_lin.1.", "head_nm.ada_lin."),
    ("scale_mul_1H11", "scale_mul"),
]


def field_path(name: str, per_chunk: int) -> str:
    """The field path of an official name."""
    parts = name.split(".")
    if parts[0] == "block_chunks":
        name = ".".join(["blocks", str(int(parts[1]) * per_chunk + int(parts[3])), *parts[4:]])
    for official, field in RENAMED:
        name = name.replace(official, field)
    return name


def settings(config: dict) -> dict:
    """The transformer's settings of a golden configuration."""
    return {
        "embed_dim": config["embed_dim"],
        "depth": config["depth"],
        "num_heads": config["num_heads"],
        "block_chunks": config["block_chunks"],
        "ffn_hidden": config["ffn_hidden"],
        "text_dim": config["Ct5"],
        "text_maxlen": config["text_maxlen"],
        "bits": config["d_vae"],
        "norm_eps": config["norm_eps"],
        "patchify": False,
        "level_embedding": "first_block" if config["add_lvl_embeding_only_first_block"] else "every_chunk",
        "positions": POSITIONS[config["rope2d_normalized_by_hw"]],
        "classifier": "bits",
    }


def template(config: dict) -> Template:
    return Template(grids(config["schedule"]), tuple(config["rope_reference_schedule"][-1]))


def load(case: Case, config: dict) -> tuple[Transformer, int]:
    model = Transformer(settings(config))
    per_chunk = config["depth"] // config["block_chunks"]
    weights = {field_path(name, per_chunk): value for name, value in case.weights().items()}
    weights = {name: value for name, value in weights.items() if not name.endswith("zero_k_bias")}
    load_weights(model, weights, Path(case.manifest["files"]["weights"]))
    return model, per_chunk


def text(case: Case) -> tuple[Tensor, Tensor]:
    """Padded text features and their mask of the packed ones."""
    ends = case["cu_seqlens_k"].tolist()
    parts = [case["kv_compact"][start:end] for start, end in zip(ends, ends[1:])]
    features = nn.utils.rnn.pad_sequence(parts, batch_first=True)
    lens = torch.tensor([len(part) for part in parts])
    return features, torch.arange(features.shape[1]) < lens[:, None]


def logits(case: Case, model: Transformer, config: dict, inputs: Tensor) -> Tensor:
    features, mask = text(case)
    dropped = torch.tensor([b in config["dropped_samples"] for b in range(len(features))])
    features = model.drop_condition(features, dropped)
    return model(features, mask, inputs, model.layout(template(config)))


def check_gradients(case: Case, model: Transformer, per_chunk: int, inputs: Tensor) -> None:
    named = {**dict(model.named_parameters()), "x_BLC_wo_prefix": inputs}
    for stored in case.names("grad."):
        case.check(stored, named[field_path(stored.removeprefix("grad."), per_chunk)].grad)


class Golden(unittest.TestCase):
    def test_resize(self) -> None:
        for case in cases("resize"):
            for part in case.config["cases"]:
                mode = {"area": "area", "trilinear": "bilinear"}.get(part["mode"])
                if mode and f"in.{part['index']}" in case:
                    case.check(f"out.{part['index']}", resize(case[f"in.{part['index']}"], part["out_hw"], mode))

    def test_quantizer(self) -> None:
        for case in cases("quantizer_bsq"):
            schedule = grids(case.config["schedule"])
            pyramid = quantizer.encode(case["features"], schedule)
            for k, bits in enumerate(pyramid.bits):
                case.check(f"bits.{k}", bits.permute(0, 2, 3, 1))
            case.check("x_BLC_wo_prefix", rows(quantizer.inputs(pyramid.sums, schedule)))
            case.check("z", pyramid.sums[-1])
            case.check("z_from_bits", quantizer.decode(pyramid.bits, case["features"].shape[-2:])[-1])

    def test_entropy_and_commitment(self) -> None:
        for case in cases("bsq_entropy"):
            x = case["x"].flatten(2, 3).requires_grad_()
            z = quantizer.project(x)
            code = quantizer.codes(x > 0)
            sample, codebook = quantizer.entropies(z)
            case.check("H_sample", sample)
            case.check("H_codebook", codebook)
            case.check("commit", (z - code.detach()).square().mean())
            loss = quantizer.scale_loss(z, code)
            case.check("aux", loss)
            loss.backward()
            case.check("grad_x_of_aux", x.grad.view_as(case["x"]))

    def test_training_losses_of_the_quantizer(self) -> None:
        for case in cases("multiscale_bsq_training_loss"):
            for variant, detach in [("detach", True), ("keepgrad", False)]:
                features = case["features"].clone().requires_grad_()
                trained = quantizer.train(features, grids(case.config["schedule"]), detach)
                case.check(f"losses.{variant}", trained.losses)
                total = case.config["lfq_weight"] * trained.losses.mean() + (trained.total * case["probe"]).mean()
                total.backward()
                case.check(f"grad_features.{variant}", features.grad)
                case.check("z", trained.total)

    def test_self_correction(self) -> None:
        for case in cases("bitwise_self_correction"):
            if case.config["apply_spatial_patchify"]:
                continue
            schedule = grids(case.config["vae_schedule"])
            requantized = case.config["noise_apply_requant"] == 1
            masks = [
                case[f"mask.{k}"].permute(0, 3, 1, 2).bool() if requantized and f"mask.{k}" in case else None
                for k in range(len(schedule))
            ]
            corrected = correct(case["features"], schedule, masks)
            for k, bits in enumerate(corrected.targets):
                case.check(f"labels.{k}", rows([bits]))
            case.check("x_BLC_wo_prefix", rows(quantizer.inputs(corrected.sums, schedule)))

    def test_rotary_tables(self) -> None:
        for case in cases("rope2d_tables"):
            for table in case.config["tables"]:
                if table["mode"] == 1:
                    continue
                layout = Template(grids(table["scales"]), tuple(table["rope_reference_schedule"][-1]))
                case.check(table["key"], torch.stack(rope.tables(POSITIONS[table["mode"]], table["head_dim"], layout)))

    def test_rotation(self) -> None:
        for case in cases("rope2d_apply"):
            for part in case.config["cases"]:
                layout = Template(grids(part["schedule"]), tuple(part["rope_reference_schedule"][-1]))
                length = case[f"q.{part['index']}"].shape[2]
                first = part["first_token"]
                cos, sin = (t[first : first + length] for t in rope.tables("rope_normalized", part["head_dim"], layout))
                for name in "qk":
                    case.check(f"{name}_out.{part['index']}", rope.rotate(case[f"{name}.{part['index']}"], cos, sin))

    def test_text_encoder(self) -> None:
        for case in cases("t5_encoder"):
            model = T5Encoder(case.config)
            load_weights(model, {t5_path(name): value for name, value in case.weights().items()}, Path("f_t5"))
            mask = case["attention_mask"].bool()
            features = model(case["input_ids"], mask)
            case.check("kv_compact", features[mask])
            case.check("relative_position_buckets_row0", torch.tensor([t5.bucket(j, 32, 128) for j in range(160)]))

    def test_teacher_forcing(self) -> None:
        tried = 0
        for case in cases("transformer_teacher_forcing"):
            config = case.config
            if config["apply_spatial_patchify"] or config["rope2d_normalized_by_hw"] == 1:
                continue
            tried += 1
            model, per_chunk = load(case, config)
            inputs = case["x_BLC_wo_prefix"].clone().requires_grad_()
            found = logits(case, model, config, inputs)
            case.check("logits", found)
            per_token = cross_entropy(found, case["labels"])
            case.check("ce_per_token", per_token)
            weights = scale_weights([h * w for h, w in config["schedule"]], True)
            loss = (per_token * weights).sum(1).mean()
            self.assertAlmostEqual(loss.item(), case.scalars["loss_reweighted"], delta=2e-4 * loss.item())
            self.assertAlmostEqual(per_token.mean().item(), case.scalars["loss_mean"], delta=2e-4 * loss.item())
            loss.backward()
            check_gradients(case, model, per_chunk, inputs)
        self.assertGreaterEqual(tried, 3)

    def test_spans_see_what_the_mask_shows(self) -> None:
        """Attention in spans is attention under the whole block-wise causal mask."""
        torch.manual_seed(1)
        tokens = [1, 4, 16, 36, 64, 144]
        level = torch.cat([torch.full((count,), k) for k, count in enumerate(tokens)])
        q, k, v = torch.randn(3, 2, 3, len(level), 8).unbind()
        whole = level[:, None] >= level[None, :]
        expected = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=whole, scale=1.0)
        for least in [1, 20, 128, 1000]:
            parts = transformer.spans(tokens, least)
            first = parts[0][1]
            found = transformer.attend(q, k, v, parts, whole[:first, :first])
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    def test_image_tokenizer(self) -> None:
        for case in cases("vae_roundtrip"):
            model = Vae(vae_settings(case.config))
            load_weights(model, vae_weights(case.weights("vae_weights")), Path("vae"))
            with torch.no_grad():
                case.check("features", model.encoder(case["image"]))
                case.check("decoder_out_unclamped", model.decoder(case["z"]))

    def test_one_whole_step(self) -> None:
        """Pixels, features, flips, loss, gradients, clipping and AdamW."""
        for case in cases("train_step"):
            config, options = case.config["model"], case.config["optimizer"]
            config = {**config, **{k: case.config[k] for k in ["schedule", "rope_reference_schedule", "dropped_samples"]}}
            vae = Vae(vae_settings(case.config["vae"]))
            load_weights(vae, vae_weights(case.weights("vae_weights")), Path("vae"))
            model, per_chunk = load(case, config)
            with torch.no_grad():
                features = vae.encoder(case["image_u8"].float() / 255.0 * 2.0 - 1.0)
            case.check("features", features)
            schedule = template(config)
            masks = [case[f"mask.{k}"].permute(0, 3, 1, 2).bool() for k in range(len(schedule.grids))]
            inputs, targets = example(features, schedule, masks, False)
            case.check("x_BLC_wo_prefix", inputs)
            case.check("labels", targets)
            found = logits(case, model, config, inputs)
            case.check("logits", found)
            weights = scale_weights(schedule.tokens, case.config["reweight_loss_by_scale"] == 1)
            loss = (cross_entropy(found, targets) * weights).sum(1).mean()
            self.assertAlmostEqual(loss.item(), case.scalars["loss"], delta=2e-4 * case.scalars["loss"])
            loss.backward()
            check_gradients(case, model, per_chunk, inputs)
            plan = SimpleNamespace(
                lr=options["lr"],
                beta_1=options["betas"][0],
                beta_2=options["betas"][1],
                epsilon=options["eps"],
                weight_decay=options["weight_decay"],
                clip=options["grad_clip_global_norm"],
            )
            norm = Optimizer(model, plan).step(options["lr"]).item()
            self.assertAlmostEqual(norm, case.scalars["grad_norm_reported"], delta=1e-3 * norm)
            named = dict(model.named_parameters())
            for stored in case.names("updated."):
                case.check(stored, named[field_path(stored.removeprefix("updated."), per_chunk)])


def t5_path(name: str) -> str:
    """The field path of an official name of the text encoder."""
    parts = name.split(".")
    if name == "shared.weight":
        return "shared"
    if name == "encoder.final_layer_norm.weight":
        return "final_layer_norm"
    if "relative_attention_bias" in name:
        return "relative_attention_bias"
    block = f"blocks.{parts[2]}"
    if parts[5] == "layer_norm":
        return f"{block}.{'attention_norm' if parts[4] == '0' else 'ffn_norm'}"
    return f"{block}.{parts[6]}.weight"


def vae_settings(config: dict) -> dict:
    keys = ["codebook_dim", "base_ch", "ch_mult", "num_res_blocks", "patch_size"]
    return {**{key: config[key] for key in keys}, "stem_patch": 1, "norm_groups": OFFICIAL_GROUPS}


def vae_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Official names without the inner `.conv` and `.norm` that wrap every layer there."""
    short = {}
    for name, value in tensors.items():
        parts = name.split(".")
        if parts[-2] in ("conv", "norm") and parts[-3] not in ("downsample", "upsample"):
            del parts[-2]
        short[".".join(parts)] = value
    return {name: value for name, value in short.items() if name.startswith(("encoder.", "decoder."))}


if __name__ == "__main__":
    unittest.main()
