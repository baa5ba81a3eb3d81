//! The T5 encoder of Hugging Face checkpoints (gated layout of Flan-T5); the decoder half is left out.

use super::{ImportPlan, Named, underivable};
use crate::model::config::T5Config;
use crate::weights::WeightsError;
use crate::weights::reader::TensorInfo;

/// Another name of the embedding table.
const ALIAS: &str = "encoder.embed_tokens.weight";

/// Works out the sizes and where every tensor comes from.
pub fn plan(entries: &[TensorInfo]) -> Result<ImportPlan<T5Config>, WeightsError> {
    let shared = entries.iter().any(|entry| entry.name == "shared.weight");
    let named = Named::new(entries, |name| match name {
        ALIAS => (!shared).then(|| "shared.weight".to_string()),
        "lm_head.weight" => None,
        name if name.starts_with("decoder.") => None,
        name => Some(name.to_string()),
    })?;
    let config = config(&named)?;
    let tensors = named.plan(expected(&config))?;
    Ok(ImportPlan {
        config,
        tensors,
        zeros: Vec::new(),
    })
}

/// Our names and their shapes, in the order of the network.
pub fn expected(config: &T5Config) -> Vec<(String, Vec<usize>)> {
    let (d, f) = (config.d_model, config.d_ff);
    let inner = config.num_heads * config.d_kv;
    let mut all = vec![("shared.weight".to_string(), vec![config.vocab_size, d])];
    for i in 0..config.num_layers {
        let mut add = |name: &str, shape: &[usize]| {
            all.push((format!("encoder.block.{i}.layer.{name}"), shape.to_vec()));
        };
        add("0.layer_norm.weight", &[d]);
        add("0.SelfAttention.q.weight", &[inner, d]);
        add("0.SelfAttention.k.weight", &[inner, d]);
        add("0.SelfAttention.v.weight", &[inner, d]);
        add("0.SelfAttention.o.weight", &[d, inner]);
        if i == 0 {
            let buckets = config.relative_attention_num_buckets;
            add(
                "0.SelfAttention.relative_attention_bias.weight",
                &[buckets, config.num_heads],
            );
        }
        add("1.layer_norm.weight", &[d]);
        add("1.DenseReluDense.wi_0.weight", &[f, d]);
        add("1.DenseReluDense.wi_1.weight", &[f, d]);
        add("1.DenseReluDense.wo.weight", &[d, f]);
    }
    all.push(("encoder.final_layer_norm.weight".to_string(), vec![d]));
    all
}

fn config(named: &Named) -> Result<T5Config, WeightsError> {
    let first = |name: &str| format!("encoder.block.0.layer.{name}.weight");
    let [vocab_size, d_model] = named.shape("shared.weight")?;
    let bias = first("0.SelfAttention.relative_attention_bias");
    let [buckets, num_heads] = named.shape(&bias)?;
    let query = first("0.SelfAttention.q");
    let [inner, width] = named.shape(&query)?;
    let [d_ff, _] = named.shape(&first("1.DenseReluDense.wi_0"))?;
    if num_heads == 0 || inner % num_heads != 0 {
        return Err(underivable("head width", &query, &[inner, width]));
    }
    let layer = |i: usize| format!("encoder.block.{i}.layer.0.layer_norm.weight");
    Ok(T5Config {
        vocab_size,
        d_model,
        d_kv: inner / num_heads,
        d_ff,
        num_layers: named.count(layer),
        num_heads,
        layer_norm_epsilon: 1e-6,
        relative_attention_num_buckets: buckets,
        relative_attention_max_distance: 128,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Memory;
    use super::*;
    use crate::weights::reader::TensorReader;

    fn tiny() -> T5Config {
        T5Config {
            vocab_size: 11,
            d_model: 6,
            d_kv: 4,
            d_ff: 10,
            num_layers: 2,
            num_heads: 3,
            layer_norm_epsilon: 1e-6,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
        }
    }

    #[test]
    fn infers_every_size_and_drops_the_decoder() {
        let mut memory = Memory::counting(expected(&tiny()));
        memory.add(ALIAS, &[11, 6], |_| 0.0);
        memory.add("decoder.block.0.layer.0.layer_norm.weight", &[6], |_| 0.0);
        memory.add("lm_head.weight", &[11, 6], |_| 0.0);
        let found = plan(memory.entries()).unwrap();
        assert_eq!(found.config, tiny());
        assert_eq!(found.tensors.len(), expected(&tiny()).len());
        // The table itself is taken, not its alias.
        assert_eq!(
            found.tensors[0].read(&mut memory).unwrap().try_to_vec::<f32>().unwrap()[0],
            1.0
        );
    }

    #[test]
    fn the_alias_stands_in_for_the_table() {
        let memory = Memory::counting(expected(&tiny())).rename(|name| name.replace("shared.weight", ALIAS));
        assert_eq!(plan(memory.entries()).unwrap().config, tiny());
    }

    #[test]
    fn refuses_other_t5_layouts() {
        let ungated = Memory::counting(expected(&tiny())).rename(|name| name.replace("wi_0", "wi"));
        assert!(plan(ungated.entries()).unwrap_err().to_string().contains("wi_0.weight"));
        let heads = Memory::counting(expected(&tiny()));
        let name = "encoder.block.0.layer.0.SelfAttention.q.weight";
        let mut heads = heads.without(name);
        heads.add(name, &[13, 6], |_| 0.0);
        assert!(plan(heads.entries()).unwrap_err().to_string().contains("head width"));
    }
}
