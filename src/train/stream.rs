//! Batches as bytes, for a trainer in another process: raw pixels and token ids, one record a step.
//!
//! A record is eight little-endian `u32` - the magic number, step, template, images B, height H, width W, text length T
//! and zero - then `u8 [B, H, W, 3]` pixels, `u16 [B]` prompt lengths and `u16 [B, T]` token ids, padded with zeros. A
//! tokenizer's run has T = 0 and no prompts.

use super::TrainError;
use super::batch::Batches;
use crate::model::text::PromptEncoder;
use std::io::Write;

/// `INFB` in the file.
pub const MAGIC: u32 = u32::from_le_bytes(*b"INFB");

/// The record of a step; `prompts` encodes the captions where a transformer is trained.
pub fn record(batches: &Batches, prompts: Option<&PromptEncoder>, step: usize) -> Result<Vec<u8>, TrainError> {
    let (schedule, samples) = batches.samples(step)?;
    let (height, width) = schedule.image_size();
    let ids: Vec<Vec<u32>> = match prompts {
        Some(prompts) => samples
            .iter()
            .map(|sample| prompts.training_ids(&sample.caption))
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
    let header = [
        MAGIC,
        step as u32,
        batches.template(step) as u32,
        samples.len() as u32,
        height as u32,
        width as u32,
        longest as u32,
        0,
    ];
    let mut bytes = Vec::with_capacity(32 + samples.len() * (3 * height * width + 2 * longest + 2));
    bytes.extend(header.iter().flat_map(|number| number.to_le_bytes()));
    for sample in &samples {
        bytes.extend_from_slice(sample.image.as_raw());
    }
    let half = |number: usize| (number as u16).to_le_bytes();
    bytes.extend(ids.iter().flat_map(|ids| half(ids.len())));
    for ids in &ids {
        bytes.extend(ids.iter().flat_map(|&id| half(id as usize)));
        bytes.resize(bytes.len() + 2 * (longest - ids.len()), 0);
    }
    Ok(bytes)
}

/// Writes the records of `steps` to `out`, composing the next ones in `pool` meanwhile. Ends early and without an error
/// when the reader goes away.
pub fn write(
    batches: &Batches,
    prompts: Option<&PromptEncoder>,
    steps: impl Iterator<Item = usize> + Send,
    pool: &rayon::ThreadPool,
    mut out: impl Write,
) -> Result<(), TrainError> {
    /// Records that wait composed.
    const IN_FLIGHT: usize = 4;
    let (send, composed) = std::sync::mpsc::sync_channel(IN_FLIGHT);
    std::thread::scope(|scope| {
        // Ends with its last step, or when the receiver below is gone.
        scope.spawn(move || {
            let mut steps = steps;
            steps.try_for_each(|step| send.send(pool.install(|| record(batches, prompts, step))))
        });
        for bytes in composed {
            match out.write_all(&bytes?) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                written => written.map_err(|error| super::checkpoint::io_error("standard output".as_ref(), error))?,
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::Pictures;
    use crate::model::text::vocabulary;
    use image::{Rgb, RgbImage};

    fn pool() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
    }

    #[test]
    fn a_record_holds_pixels_and_token_ids() {
        let picture = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8, y as u8, 7]));
        let source = Pictures::new(vec![(picture.clone(), "a red apple".into())]);
        let batches = Batches {
            source: &source,
            size: 2,
            seed: 3,
            scales: 1,
            square_share: 1.0,
        };
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
        let json = std::fs::read(path).unwrap();
        let (words, token_ids) = vocabulary(&json, ["a red apple"]).unwrap();
        let prompts = PromptEncoder::with_vocabulary(&json, 8, &words, &token_ids).unwrap();
        let ids = prompts.encode("a red apple").unwrap().ids;
        let mut written = Vec::new();
        write(&batches, Some(&prompts), [4, 6].into_iter(), &pool(), &mut written).unwrap();
        let pixels = 16 * 16 * 3;
        let length = 32 + 2 * (pixels + 2 + 2 * ids.len());
        assert_eq!(written.len(), 2 * length);
        let number = |at: usize| u32::from_le_bytes(written[at..at + 4].try_into().unwrap());
        let header: Vec<u32> = (0..8).map(|i| number(length + 4 * i)).collect();
        assert_eq!(header, [MAGIC, 6, 0, 2, 16, 16, ids.len() as u32, 0]);
        let found = &written[32..32 + pixels];
        // Another path to the same size may resize by a rounding.
        let off = found.iter().zip(picture.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off.unwrap() <= 1, "{off:?}");
        let text = &written[32 + 2 * pixels..length];
        let halves: Vec<u32> = text
            .chunks_exact(2)
            .map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        let expected: Vec<u32> = [ids.len() as u32; 2].into_iter().chain(ids.repeat(2)).collect();
        assert_eq!(halves, expected);
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_stream() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let source = Pictures::new(vec![(RgbImage::new(16, 16), "nothing".into())]);
        let batches = Batches {
            source: &source,
            size: 1,
            seed: 1,
            scales: 1,
            square_share: 1.0,
        };
        write(&batches, None, 0.., &pool(), Gone).unwrap();
    }
}
