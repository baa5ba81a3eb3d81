//! Inpainting: tokens of an earlier image that the new one keeps, whole scales or the tokens outside of a mask.

use super::EngineError;
use super::protocol::EditMask;
use crate::model::bits::{WORD, pack_words, unpack_words};
use crate::model::sampling::Forced;
use crate::model::schedule::{Grid, Schedule};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// The given tokens of every scale that `edit` keeps, for a model of `d` bits a token.
pub fn forced(edit: &EditMask, schedule: &Schedule, d: usize, device: &Device) -> Result<Vec<Forced>, EngineError> {
    let (all, wrong) = (schedule.len(), EngineError::EditMask);
    if edit.scales > all {
        return Err(wrong(format!("{} scales are to be kept of {all}", edit.scales)));
    }
    let finest = schedule.grids()[all - 1];
    if let Some(mask) = &edit.mask
        && mask.len() != schedule.tokens(all - 1)
    {
        let (height, width) = finest;
        return Err(wrong(format!(
            "the mask has {} cells for {height} x {width} tokens",
            mask.len()
        )));
    }
    let given = if edit.mask.is_some() { all } else { edit.scales };
    if edit.bits.len() < given {
        return Err(wrong(format!(
            "{} scales are given and {given} needed",
            edit.bits.len()
        )));
    }
    let scales = edit.bits[..given].iter().zip(schedule.grids()).enumerate();
    let force = |(k, (words, &grid)): (usize, (&Vec<u32>, &Grid))| {
        let bits = bits_tensor(words, grid, d, device)?;
        let free = match &edit.mask {
            Some(mask) if k >= edit.scales => Some(free(mask, finest, grid)),
            _ => None,
        };
        let flags = |free: Vec<bool>| {
            let length = free.len();
            Tensor::<3, Bool>::from_data(TensorData::new(free, [1, length, 1]), device)
        };
        Ok(Forced {
            bits,
            free: free.map(flags),
        })
    };
    scales.map(force).collect()
}

/// The packed bits of one scale as `[1, h w, d]`, after a check of their number.
pub fn bits_tensor(words: &[u32], (h, w): Grid, d: usize, device: &Device) -> Result<Tensor<3, Int>, EngineError> {
    let expected = h * w * d.div_ceil(WORD);
    let wrong = |what: String| Err(EngineError::EditMask(what));
    if words.len() != expected {
        return wrong(format!(
            "a scale of {h} x {w} tokens has {} words of bits and not {expected}",
            words.len()
        ));
    }
    let bits = unpack_words(words, d);
    if pack_words(&bits, d) != words {
        return wrong(format!("a word holds bits beyond the {d} of a token"));
    }
    let bits: Vec<i32> = bits.into_iter().map(i32::from).collect();
    Ok(Tensor::from_data(TensorData::new(bits, [1, h * w, d]), device))
}

/// The tokens of a coarse grid that cover any masked cell of the finest grid, and are therefore sampled anew.
fn free(mask: &[u8], (fine_h, fine_w): Grid, (h, w): Grid) -> Vec<bool> {
    let covered = |i: usize, coarse: usize, fine: usize| i * fine / coarse..((i + 1) * fine).div_ceil(coarse);
    let any = |y: usize, x: usize| {
        let mut rows = covered(y, h, fine_h);
        rows.any(|row| covered(x, w, fine_w).any(|column| mask[row * fine_w + column] != 0))
    };
    (0..h)
        .flat_map(|y| (0..w).map(move |x| (y, x)))
        .map(|(y, x)| any(y, x))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::TEMPLATES;

    #[test]
    fn a_coarse_token_is_free_where_any_cell_below_it_is() {
        // One cell of 4 x 4, at row 1 and column 2.
        let mut mask = vec![0; 16];
        mask[6] = 1;
        assert_eq!(free(&mask, (4, 4), (1, 1)), [true]);
        assert_eq!(free(&mask, (4, 4), (2, 2)), [false, true, false, false]);
        // Three columns over four cells overlap: the middle one covers cells 1 and 2, the last one cells 2 and 3.
        let found = free(&mask, (4, 4), (4, 3));
        assert_eq!(found.iter().positions(), [4, 5]);
        assert_eq!(free(&mask, (4, 4), (4, 4)).iter().positions(), [6]);
        assert!(free(&[0; 16], (4, 4), (2, 2)).iter().all(|free| !free));
    }

    trait Positions {
        fn positions(self) -> Vec<usize>;
    }

    impl<'a, I: Iterator<Item = &'a bool>> Positions for I {
        fn positions(self) -> Vec<usize> {
            self.enumerate().filter(|(_, free)| **free).map(|(i, _)| i).collect()
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let schedule = TEMPLATES[0].schedule(3).unwrap(); // 1, 4 and 16 tokens
        let bits = || vec![vec![1], vec![2; 4], vec![3; 16]];
        let device = Device::flex();
        let good = [
            (bits(), 0, None),
            (bits(), 3, None),
            (vec![vec![1]], 1, None),
            (bits(), 1, Some(vec![1; 16])),
        ];
        let fixed = good.map(|(bits, scales, mask)| {
            let forced = forced(&EditMask { bits, scales, mask }, &schedule, 8, &device).unwrap();
            let free = forced.iter().filter(|scale| scale.free.is_some()).count();
            (forced.len(), free)
        });
        assert_eq!(fixed, [(0, 0), (3, 0), (1, 0), (3, 2)]);
        let bad = [
            (bits(), 4, None),
            (vec![vec![1]], 2, None),
            (vec![vec![1]], 1, Some(vec![1; 16])),
            (bits(), 1, Some(vec![1; 15])),
            (vec![vec![1], vec![2; 3]], 2, None),
            (vec![vec![256]], 1, None),
        ];
        for (bits, scales, mask) in bad {
            let edit = EditMask { bits, scales, mask };
            let error = forced(&edit, &schedule, 8, &device).unwrap_err();
            assert_eq!((error.code(), error.field()), ("bits", Some("keep")), "{edit:?}");
        }
    }
}
