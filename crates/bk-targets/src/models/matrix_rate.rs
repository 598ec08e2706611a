//! What a device reaches in a large matrix product: what the model's operations are compared with.

use std::time::Instant;

use bk_harness::case::ElementType;
use bk_harness::workload::Failure;
use burn::tensor::{Tensor, TensorData};

use super::Known;
use crate::element::burn_type;
use crate::platform::Platform;

/// Rows of the square matrices: large enough on a GPU that launching costs nothing, and a fraction of a
/// second on a CPU.
const GPU_ROWS: usize = 4096;
const CPU_ROWS: usize = 512;

/// Products between two synchronisations, and how often they are timed; the best time counts, since this is
/// to be a limit.
const PRODUCTS: usize = 8;
const ROUNDS: usize = 5;

/// Operations a second of a square matrix product in `dtype`, measured once a process.
pub(super) fn matrix_rate<P: Platform>(
    platform: &P,
    known: &Known,
    dtype: ElementType,
) -> Result<f64, Failure> {
    if let Some(rate) = known.matrix_rates.borrow().get(&dtype) {
        return Ok(*rate);
    }
    let rows = if platform.is_hardware_gpu() { GPU_ROWS } else { CPU_ROWS };
    let matrix = || {
        // Small numbers of both signs, so that half precision neither overflows nor has zeros to skip.
        let values: Vec<f32> = (0..rows * rows).map(|place| (place % 17) as f32 / 17.0 - 0.5).collect();
        let data = TensorData::new(values, [rows, rows]);
        Tensor::<P::Backend, 2>::from_data(data, platform.device()).cast(burn_type(dtype))
    };
    let (left, right) = (matrix(), matrix());
    let time = |products: usize| -> Result<f64, Failure> {
        platform.synchronize()?;
        let start = Instant::now();
        for _ in 0..products {
            drop(left.clone().matmul(right.clone()));
        }
        platform.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    };
    // The first ones compile and tune.
    time(1)?;
    time(1)?;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        best = best.min(time(PRODUCTS)?);
    }
    let rate = PRODUCTS as f64 * 2.0 * (rows as f64).powi(3) / best;
    known.matrix_rates.borrow_mut().insert(dtype, rate);
    Ok(rate)
}
