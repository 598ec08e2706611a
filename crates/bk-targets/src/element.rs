//! The names of element types become Burn's.

use bk_harness::case::ElementType;
use burn::tensor::DType;

/// Burn's name of the type.
pub(crate) fn burn_type(dtype: ElementType) -> DType {
    match dtype {
        ElementType::F64 => DType::F64,
        ElementType::F32 => DType::F32,
        ElementType::F16 => DType::F16,
        ElementType::Bf16 => DType::BF16,
    }
}
