//! Kernels that measure the device rather than the workload: a delay of known length, a plain copy.

use std::time::{Duration, Instant};

use bk_harness::workload::Failure;
use cubecl::future::block_on;
use cubecl::prelude::*;

/// Dependent steps of one unit: the device is busy and nothing else of it is used.
#[cube(launch_unchecked)]
fn delay_kernel(output: &mut Array<f32>, steps: u32) {
    let mut value = output[0];
    for _ in 0..steps {
        value = fma(value, 0.999_999f32, 1.0f32);
    }
    output[0] = value;
}

#[cube(launch_unchecked)]
fn copy_kernel<N: Size>(input: &Array<Vector<f32, N>>, output: &mut Array<Vector<f32, N>>) {
    if ABSOLUTE_POS < output.len() {
        output[ABSOLUTE_POS] = input[ABSOLUTE_POS];
    }
}

/// A calibrated delay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    steps_per_second: f64,
}

impl Delay {
    /// Times two long delays; their difference is free of the cost of a launch.
    pub(super) fn calibrate<R: Runtime>(client: &ComputeClient<R>) -> Result<Self, Failure> {
        const SHORT: u32 = 200_000;
        const LONG: u32 = 2_200_000;
        time_delay(client, SHORT)?;
        let short = time_delay(client, SHORT)?;
        let long = time_delay(client, LONG)?;
        let seconds = long - short;
        if seconds <= 0.0 {
            return Err(Failure::Execution(format!(
                "a delay of {LONG} steps took no longer than one of {SHORT}: the device's clock cannot be trusted"
            )));
        }
        Ok(Self { steps_per_second: f64::from(LONG - SHORT) / seconds })
    }

    /// Queues a delay of about `duration`.
    pub(super) fn queue<R: Runtime>(&self, client: &ComputeClient<R>, duration: Duration) {
        let steps = duration.as_secs_f64() * self.steps_per_second;
        launch_delay(client, steps.clamp(1.0, f64::from(u32::MAX)) as u32);
        // wgpu collects launches before it submits them: the delay must begin now to hide their issue.
        // An error is seen at the next synchronisation.
        let _ = client.flush();
    }
}

fn time_delay<R: Runtime>(client: &ComputeClient<R>, steps: u32) -> Result<f64, Failure> {
    wait(client)?;
    let start = Instant::now();
    launch_delay(client, steps);
    wait(client)?;
    Ok(start.elapsed().as_secs_f64())
}

fn launch_delay<R: Runtime>(client: &ComputeClient<R>, steps: u32) {
    let output = client.create_from_slice(&1.0f32.to_le_bytes());
    // SAFETY: one unit, which touches the one element that is there.
    unsafe {
        delay_kernel::launch_unchecked::<R>(
            client,
            CubeCount::new_single(),
            CubeDim::new_single(),
            ArrayArg::from_raw_parts(output, 1),
            steps,
        );
    }
}

/// Bytes a second, read plus written: the slope between few and many copies of a buffer that no cache holds.
pub(super) fn measure_copy_rate<R: Runtime>(client: &ComputeClient<R>) -> Result<f64, Failure> {
    const BYTES: usize = 512 << 20;
    const FEW: u32 = 2;
    const MANY: u32 = 12;
    const ROUNDS: usize = 5;
    let most = client.properties().memory.max_page_size as usize / 2;
    let bytes = BYTES.min(most) / 16 * 16;
    let (input, output) = (client.empty(bytes), client.empty(bytes));
    let time = |copies: u32| -> Result<f64, Failure> {
        wait(client)?;
        let start = Instant::now();
        for _ in 0..copies {
            launch_copy(client, &input, &output, bytes / 4);
        }
        wait(client)?;
        Ok(start.elapsed().as_secs_f64())
    };
    time(FEW)?;
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let seconds = time(MANY)? - time(FEW)?;
        rates.push(2.0 * bytes as f64 * f64::from(MANY - FEW) / seconds);
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[ROUNDS / 2])
}

fn launch_copy<R: Runtime>(
    client: &ComputeClient<R>,
    input: &cubecl::server::Handle,
    output: &cubecl::server::Handle,
    elements: usize,
) {
    const UNITS: u32 = 256;
    const VECTOR: usize = 4;
    let cubes = (elements / VECTOR).div_ceil(UNITS as usize);
    let (most, _, _) = client.properties().hardware.max_cube_count;
    let count = if cubes <= most as usize {
        CubeCount::new_1d(cubes as u32)
    } else {
        CubeCount::new_2d(most, cubes.div_ceil(most as usize) as u32)
    };
    // SAFETY: units beyond the output return, and both buffers have this many elements.
    unsafe {
        copy_kernel::launch_unchecked::<R>(
            client,
            count,
            CubeDim::new_1d(UNITS),
            VECTOR,
            ArrayArg::from_raw_parts(input.clone(), elements),
            ArrayArg::from_raw_parts(output.clone(), elements),
        );
    }
}

fn wait<R: Runtime>(client: &ComputeClient<R>) -> Result<(), Failure> {
    block_on(client.sync()).map_err(|error| Failure::Execution(format!("the device failed: {error:?}")))
}
