//! The scan on inputs and outputs in float16 or bfloat16: the arithmetic is in float32, and an output is held to the
//! oracle of the inputs as they were stored.

use bk_harness::case::{BkCoreSpec, ElementType};
use bk_harness::workload::{Failure, Work};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::OutputType;
use burn::tensor::backend::{Backend, BackendTypes};
use half::{bf16, f16};

use crate::element::burn_type;
use crate::platform::Platform;

/// A type that the device lacks, that no implementation has, or in which nothing is proven.
pub(crate) fn refuse_types<P: Platform>(
    spec: &BkCoreSpec,
    dtype: ElementType,
    device: &<P::Backend as BackendTypes>::Device,
) -> Result<(), Failure> {
    let skip = |why: &str| Err(Failure::Skip(format!("{}: {why}", dtype.name())));
    match dtype {
        ElementType::F32 => Ok(()),
        ElementType::F64 => skip("bk-core is measured in f32, f16 and bf16 on this target"),
        ElementType::F16 | ElementType::Bf16 if spec.pass.has_backward() => {
            skip("gradients are proven in f32 alone")
        }
        ElementType::F16 | ElementType::Bf16 if !P::Backend::supports_dtype(device, burn_type(dtype)) => {
            skip("this device has no such type")
        }
        ElementType::F16 | ElementType::Bf16 => Ok(()),
    }
}

/// How outputs of the type round.
pub(crate) fn output_type(dtype: ElementType) -> OutputType {
    match dtype {
        ElementType::F32 | ElementType::F64 => OutputType::F32,
        ElementType::F16 => OutputType::F16,
        ElementType::Bf16 => OutputType::BF16,
    }
}

/// The inputs as they are when stored in the type.
pub(crate) fn rounded(inputs: Inputs, dtype: ElementType) -> Inputs {
    let round: fn(f32) -> f32 = match dtype {
        ElementType::F32 | ElementType::F64 => return inputs,
        ElementType::F16 => |value| f16::from_f32(value).to_f32(),
        ElementType::Bf16 => |value| bf16::from_f32(value).to_f32(),
    };
    let all = |values: Vec<f32>| values.into_iter().map(round).collect();
    Inputs {
        a_re: all(inputs.a_re),
        a_im: inputs.a_im.map(all),
        b: all(inputs.b),
        c: all(inputs.c),
        z: inputs.z.map(round),
        ..inputs
    }
}

/// The bytes of `work` in float32, for the type.
pub(crate) fn stored(work: Work, dtype: ElementType) -> Work {
    let bytes = |float32: u64| float32 / 4 * dtype.bytes();
    Work { bytes_read: bytes(work.bytes_read), bytes_written: bytes(work.bytes_written), ..work }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_rounded_to_the_type_and_stay_float32() {
        let inputs = Inputs {
            batch: 1,
            n: 2,
            a_re: vec![1.0 / 3.0, 1.0],
            a_im: None,
            b: vec![0.1],
            c: vec![0.1],
            shared: false,
            z: [0.1, 0.1],
        };
        let half = rounded(inputs.clone(), ElementType::F16);
        assert_eq!(half.a_re, [f16::from_f32(1.0 / 3.0).to_f32(), 1.0]);
        assert_eq!(half.z, [f16::from_f32(0.1).to_f32(); 2]);
        assert_eq!(rounded(inputs.clone(), ElementType::F32), inputs);
    }
}
