//! Fills a network's parameters from one part of a checkpoint after the other, so that no more of it is in memory than
//! what is on its way to the device.

use super::module::parameter_shapes;
use super::{Tensors, WeightsError, reader};
use crate::kernels::matmul::WeightFormat;
use crate::model::nn;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use half::{bf16, f16};
use std::collections::BTreeSet;

/// Values that are converted and handed over at a time, 16 MB as f32. A larger tensor goes up in pieces.
const PIECE: usize = 4 << 20;

/// Fills every parameter of `module` from `tensors`, taking what it uses out of the map.
///
/// `rename` turns a field path (`blocks.0.sa.proj.weight`) into the checkpoint's name. Values become f32.
/// On error the module is dropped: nothing is ever half loaded.
pub fn load_module<M: Module>(
    module: M,
    tensors: &mut Tensors,
    rename: impl Fn(&str) -> String,
) -> Result<M, WeightsError> {
    Filler::new(module, rename).fill(|name| tensors.remove(name))?.finish()
}

/// A tensor as its file holds it.
pub trait RawTensor {
    fn dtype(&self) -> DType;
    fn shape(&self) -> Vec<usize>;
    /// Row-major and little-endian.
    fn bytes(&self) -> &[u8];
}

impl RawTensor for TensorData {
    fn dtype(&self) -> DType {
        TensorData::dtype(self)
    }

    fn shape(&self) -> Vec<usize> {
        TensorData::shape(self).to_vec()
    }

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// A network on its way from a checkpoint. Parameters that had no values yet take up no memory.
pub struct Filler<M, F> {
    module: M,
    rename: F,
    form: WeightFormat,
    filled: BTreeSet<String>,
}

impl<M: Module, F: Fn(&str) -> String> Filler<M, F> {
    /// `rename` turns a field path (`blocks.0.sa.proj.weight`) into the checkpoint's name.
    pub fn new(module: M, rename: F) -> Self {
        Self {
            module,
            rename,
            form: WeightFormat::F32,
            filled: BTreeSet::new(),
        }
    }

    /// Stores the weights of layers in `form` instead of f32.
    pub fn stored_as(self, form: WeightFormat) -> Self {
        Self { form, ..self }
    }

    /// Gives every parameter whose name `find` knows its values, and leaves the others as they are. An error takes the
    /// network with it: nothing is ever half loaded.
    pub fn fill<V: RawTensor>(self, find: impl FnMut(&str) -> Option<V>) -> Result<Self, WeightsError> {
        let Self {
            module,
            rename,
            form,
            mut filled,
        } = self;
        let mut pass = Pass {
            path: Vec::new(),
            containers: Vec::new(),
            form,
            rename: &rename,
            find,
            filled: &mut filled,
            error: None,
        };
        let module = module.map(&mut pass);
        match pass.error {
            Some(error) => Err(error),
            None => Ok(Self {
                module,
                rename,
                form,
                filled,
            }),
        }
    }

    /// The network, if every parameter was given its values.
    pub fn finish(self) -> Result<M, WeightsError> {
        let names = parameter_shapes(&self.module, &self.rename).into_iter();
        let missing: Vec<String> = names
            .map(|(name, _)| name)
            .filter(|name| !self.filled.contains(name))
            .collect();
        match missing.is_empty() {
            true => Ok(self.module),
            false => Err(WeightsError::Missing(missing)),
        }
    }
}

struct Pass<'a, F, G> {
    path: Vec<String>,
    containers: Vec<String>,
    form: WeightFormat,
    rename: &'a F,
    find: G,
    filled: &'a mut BTreeSet<String>,
    error: Option<WeightsError>,
}

impl<F: Fn(&str) -> String, G: FnMut(&str) -> Option<V>, V: RawTensor> ModuleMapper for Pass<'_, F, G> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_string());
        self.containers.push(container_type.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = (self.rename)(&self.path.join("."));
        if self.error.is_some() {
            return param;
        }
        let Some(values) = (self.find)(&name) else {
            return param;
        };
        let container = self.containers.last().map_or("", String::as_str);
        let field = self.path.last().map_or("", String::as_str);
        let form = nn::stored_as(self.form, container, field);
        match upload(&name, &values, form, &param.lazy_shape().to_vec(), &param.lazy_device()) {
            Ok(tensor) => {
                self.filled.insert(name);
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}

/// The values on the device in `form`, if they fit the parameter's shape.
fn upload<const D: usize>(
    name: &str,
    values: &impl RawTensor,
    form: WeightFormat,
    expected: &[usize],
    device: &Device,
) -> Result<Tensor<D>, WeightsError> {
    let (name, shape, dtype, bytes) = (name.to_string(), values.shape(), values.dtype(), values.bytes());
    if shape != expected {
        let (expected, found) = (expected.to_vec(), shape);
        return Err(WeightsError::Shape { name, expected, found });
    }
    if !matches!(dtype, DType::F32 | DType::F16 | DType::BF16) {
        let dtype = format!("{dtype:?}");
        return Err(WeightsError::DType { name, dtype });
    }
    if reader::byte_count(&shape, dtype) != Some(bytes.len() as u64) {
        let found = bytes.len();
        return Err(WeightsError::ByteCount { name, shape, found });
    }
    // A piece of what is packed is made of whole rows.
    let (packed, unit) = match shape[..] {
        [rows, k] if form.quantized_words(rows, k) != k => (vec![rows, form.quantized_words(rows, k)], k),
        _ => (shape.clone(), 1),
    };
    let kept = |bytes: &[u8]| match packed == shape {
        true => floats(dtype, bytes),
        false => form.quantize_rows(&floats(dtype, bytes), unit),
    };
    let piece = (PIECE / unit).max(1) * unit * dtype.size();
    if bytes.len() <= piece {
        return Ok(Tensor::from_data(TensorData::new(kept(bytes), packed), device));
    }
    let mut whole = Tensor::<1>::empty([packed.iter().product::<usize>()], device);
    let mut filled = 0;
    for piece in bytes.chunks(piece) {
        let piece = kept(piece);
        let (from, count) = (filled, piece.len());
        filled += count;
        let piece = Tensor::<1>::from_data(TensorData::new(piece, [count]), device);
        whole = whole.slice_assign(from..filled, piece);
        // Pieces would wait in memory until a queue is full. A lost device says so to whoever waits for it next.
        let _ = device.flush();
    }
    Ok(whole.reshape(Shape::from(packed)))
}

/// Stored values of one of the three types of weights.
fn floats(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let pair = |pair: &[u8]| [pair[0], pair[1]];
    match dtype {
        DType::F16 => bytes
            .chunks_exact(2)
            .map(|bytes| f16::from_le_bytes(pair(bytes)).to_f32())
            .collect(),
        DType::BF16 => bytes
            .chunks_exact(2)
            .map(|bytes| bf16::from_le_bytes(pair(bytes)).to_f32())
            .collect(),
        _ => bytemuck::pod_collect_to_vec(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use std::collections::BTreeMap;

    #[derive(Module, Debug)]
    struct Pair {
        first: Linear,
        second: Linear,
    }

    fn pair(device: &Device) -> Pair {
        let linear = || LinearConfig::new(2, 3).init(device);
        Pair {
            first: linear(),
            second: linear(),
        }
    }

    fn tensors(part: &str) -> BTreeMap<String, TensorData> {
        let weight = TensorData::new((0..6u8).map(f32::from).collect(), [2, 3]).convert::<f16>();
        let bias = TensorData::new(vec![bf16::from_f32(0.5); 3], [3]);
        [(format!("{part}.weight"), weight), (format!("{part}.bias"), bias)].into()
    }

    fn take(from: &mut BTreeMap<String, TensorData>) -> impl FnMut(&str) -> Option<TensorData> {
        |name| from.remove(name)
    }

    #[test]
    fn what_a_part_lacks_stays_as_it_is_until_another_part_has_it() {
        let filler = Filler::new(pair(&Device::flex()), |path: &str| path.replace("first", "1st"));
        let (mut first, mut second) = (tensors("1st"), tensors("second"));
        let filler = filler.fill(take(&mut first)).unwrap();
        assert!(first.is_empty());
        assert!(filler.module.first.weight.is_initialized());
        assert!(
            !filler.module.second.weight.is_initialized(),
            "nothing was made up for it"
        );
        let whole = filler.fill(take(&mut second)).unwrap().finish().unwrap();
        for linear in [&whole.first, &whole.second] {
            let weight: Vec<f32> = linear.weight.val().into_data().try_to_vec().unwrap();
            assert_eq!(weight, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
            let bias: Vec<f32> = linear.bias.as_ref().unwrap().val().into_data().try_to_vec().unwrap();
            assert_eq!(bias, [0.5; 3]);
        }
    }

    #[test]
    fn missing_and_wrong_tensors_are_named() {
        let filler = || Filler::new(pair(&Device::flex()), str::to_string);
        let half = filler().fill(take(&mut tensors("second"))).unwrap();
        let WeightsError::Missing(names) = half.finish().unwrap_err() else {
            panic!("another error")
        };
        assert_eq!(names, ["first.weight", "first.bias"]);
        let mut wrong = tensors("first");
        wrong.insert("first.bias".into(), TensorData::new(vec![0f32; 4], [4]));
        let error = filler().fill(take(&mut wrong)).err().unwrap();
        assert!(
            matches!(&error, WeightsError::Shape { name, expected, found }
            if name == "first.bias" && expected == &[3] && found == &[4]),
            "{error}"
        );
        wrong.insert("first.weight".into(), TensorData::new(vec![0i32; 6], [2, 3]));
        let error = filler().fill(take(&mut wrong)).err().unwrap();
        assert!(
            matches!(&error, WeightsError::DType { name, .. } if name == "first.weight"),
            "{error}"
        );
    }

    #[test]
    fn a_large_tensor_arrives_whole_although_it_goes_up_in_pieces() {
        // Rows end within pieces, and the last piece is a short one.
        let shape = [2, PIECE - 5];
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| (i % 4099) as f32).collect();
        let data = TensorData::new(values, shape);
        for (_, device) in crate::golden::devices() {
            let tensor = upload::<2>("weight", &data, WeightFormat::F32, &shape, &device).unwrap();
            tensor.into_data().assert_eq(&data, true);
        }
    }

    #[test]
    fn a_large_weight_is_packed_row_by_row_although_it_goes_up_in_pieces() {
        let shape = [12, PIECE / 8];
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|i| (i % 4099) as f32 - 2048.0).collect();
        let data = TensorData::new(values, shape);
        let bits = |data: TensorData| -> Vec<u32> { data.iter::<f32>().map(f32::to_bits).collect() };
        for form in [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4] {
            let tensor = upload::<2>("weight", &data, form, &shape, &Device::flex()).unwrap();
            assert_eq!(tensor.dims()[1], form.quantized_words(shape[0], shape[1]));
            assert!(
                bits(tensor.into_data()) == bits(form.quantize(data.clone())),
                "{form:?}"
            );
        }
    }
}
