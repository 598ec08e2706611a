//! The BK-Core workload on a Burn backend.

use std::rc::Rc;
use std::time::Duration;

use bk_burn::{
    BkGradients, BkInputs, OperationError, bk_core_backward, bk_core_backward_from, bk_core_keeping,
    bk_core_with, tensor_bk_core,
};
use bk_harness::case::{BkCoreSpec, ElementType, Implementation, Pass};
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::numerics::Numerics;
use bk_harness::workload::{Failure, InputSets, Work, Workload};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{OutputType, Reference, compare_stored, resolvent};
use bk_kernels::{BkError, BkOptions, Strategy};
use bk_oracle::conversions::{allowed_units, inputs, numerics, options, strategy};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{Tensor, TensorData};

use crate::element::burn_type;
use crate::gradients::{compare_gradients, cotangent, graver, read_gradients, upload_cotangent, work};
use crate::half_precision::{output_type, refuse_types, rounded, stored};
use crate::platform::Platform;

type Values<P> = Tensor<<P as Platform>::Backend, 3>;
type Operands<P> = BkInputs<<P as Platform>::Backend>;

/// What a launch reads: the matrix, and the cotangent of a backward pass.
type Set<P> = (Operands<P>, Option<Values<P>>);
/// What a launch writes.
type Output<P> = (Option<Values<P>>, Option<BkGradients<<P as Platform>::Backend>>);

/// One case on one backend.
pub(crate) struct BkCoreWorkload<P: Platform> {
    platform: Rc<P>,
    /// The type that inputs and outputs are stored in.
    output_type: OutputType,
    call: Call,
    /// Input set 0 on the host, for the oracle.
    reference_inputs: Inputs,
    /// Its cotangent, of a backward pass.
    reference_cotangent: Vec<[f32; 2]>,
    oracle: Option<Reference>,
    sets: Vec<Set<P>>,
    /// The last output of each set: kept, so that the allocator rotates over as much memory as the inputs do.
    outputs: Vec<Option<Output<P>>>,
    input_sets: InputSets,
    work: Work,
}

/// What is computed, without its inputs.
#[derive(Clone, Copy)]
struct Call {
    implementation: Implementation,
    pass: Pass,
    options: BkOptions,
    strategy: Strategy,
}

impl Call {
    fn run<P: Platform>(&self, (inputs, cotangent): Set<P>) -> Result<Output<P>, OperationError> {
        let (options, strategy) = (&self.options, &self.strategy);
        match cotangent {
            None => Ok((Some(self.forward::<P>(inputs)?), None)),
            Some(cotangent) if self.pass.has_forward() => {
                let (values, states) = bk_core_keeping(inputs.clone(), options, strategy)?;
                let gradients = bk_core_backward_from(inputs, states, cotangent, options, strategy)?;
                Ok((Some(values), Some(gradients)))
            }
            Some(cotangent) => Ok((None, Some(bk_core_backward(inputs, cotangent, options, strategy)?))),
        }
    }

    fn forward<P: Platform>(&self, inputs: Operands<P>) -> Result<Values<P>, OperationError> {
        match self.implementation {
            Implementation::Tensor => tensor_bk_core(inputs, &self.options),
            _ => bk_core_with(inputs, &self.options, &self.strategy),
        }
    }
}

impl<P: Platform> BkCoreWorkload<P> {
    /// Makes the inputs and uploads them.
    pub(crate) fn new(
        platform: Rc<P>,
        info: &DeviceInfo,
        spec: &BkCoreSpec,
        dtype: ElementType,
    ) -> Result<Self, Failure> {
        refuse_what_cannot_run(spec, info)?;
        refuse_types::<P>(spec, dtype, platform.device())?;
        let inputs = |set: usize| rounded(inputs(spec, set), dtype);
        let reference_inputs = inputs(0);
        let work = stored(work(&reference_inputs, spec.pass), dtype);
        let input_sets = InputSets::for_work(&work, info);
        let upload_set = |inputs: &Inputs, set: usize| {
            let operands = upload::<P>(inputs, platform.device()).cast(burn_type(dtype));
            let cotangent =
                spec.pass.has_backward().then(|| upload_cotangent(&cotangent(spec, set), &operands));
            (operands, cotangent)
        };
        let mut sets = vec![upload_set(&reference_inputs, 0)];
        for set in 1..input_sets.count {
            sets.push(upload_set(&inputs(set), set));
        }
        platform.synchronize()?;
        Ok(Self {
            platform,
            output_type: output_type(dtype),
            call: Call {
                implementation: spec.implementation,
                pass: spec.pass,
                options: options(spec),
                strategy: strategy(spec.strategy),
            },
            reference_inputs,
            reference_cotangent: if spec.pass.has_backward() { cotangent(spec, 0) } else { Vec::new() },
            oracle: None,
            outputs: vec![None; sets.len()],
            sets,
            input_sets,
            work,
        })
    }

    fn oracle(&mut self) -> Result<&Reference, Failure> {
        if self.oracle.is_none() {
            let oracle =
                resolvent(&self.reference_inputs).map_err(|error| Failure::Execution(error.to_string()))?;
            self.oracle = Some(oracle);
        }
        self.oracle.as_ref().ok_or_else(|| Failure::Execution("no oracle".to_owned()))
    }

    /// Fills memory of the size of an output with NaN and frees it: the allocator may hand it to the next
    /// output, and then an entry which is never written is seen. The tests of the kernels poison for certain.
    fn poison(&self) -> Result<(), Failure> {
        let shape = [self.reference_inputs.batch, self.reference_inputs.n, 2];
        let poison = Values::<P>::full(shape, f32::NAN, self.platform.device());
        self.platform.synchronize()?;
        drop(poison);
        Ok(())
    }
}

impl<P: Platform> Workload for BkCoreWorkload<P> {
    fn work(&self) -> Work {
        self.work
    }

    fn input_sets(&self) -> InputSets {
        self.input_sets
    }

    fn launch(&mut self, set: usize) -> Result<(), Failure> {
        let output = self.call.run::<P>(self.sets[set].clone()).map_err(failure)?;
        self.outputs[set] = Some(output);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.platform.flush()
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        self.platform.synchronize()
    }

    fn queue_delay(&mut self, duration: Duration) -> Result<bool, Failure> {
        self.platform.queue_delay(duration)
    }

    fn device_time(&mut self, first_set: usize, launches: u32) -> Result<Option<Duration>, Failure> {
        if !self.platform.has_device_time() {
            return Ok(None);
        }
        let sets: Vec<Set<P>> = (0..launches as usize)
            .map(|launch| self.sets[(first_set + launch) % self.sets.len()].clone())
            .collect();
        let call = self.call;
        self.platform.device_time(Box::new(move || {
            // Outputs are kept to the end, so that no launch writes where the one before did.
            let outputs: Result<Vec<Output<P>>, OperationError> =
                sets.into_iter().map(|inputs| call.run::<P>(inputs)).collect();
            outputs.map(drop).map_err(|error| error.to_string())
        }))
    }

    fn copy_rate(&mut self) -> Result<Option<f64>, Failure> {
        self.platform.copy_rate()
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        self.outputs[0] = None;
        self.poison()?;
        let (values, gradients) = self.call.run::<P>(self.sets[0].clone()).map_err(failure)?;
        self.platform.synchronize()?;
        let allowed = allowed_units(self.call.implementation);
        let options = self.call.options;
        let mut proofs = Vec::new();
        if let Some(values) = values {
            let values = read(values)?;
            let stored = self.output_type;
            let comparison = compare_stored(&values, stored, self.oracle()?, &options, allowed);
            proofs.push(numerics(comparison, allowed));
        }
        if let Some(gradients) = gradients {
            let gradients = read_gradients(gradients)?;
            let (inputs, cotangent) = (&self.reference_inputs, &self.reference_cotangent);
            proofs.push(compare_gradients(&gradients, inputs, cotangent, &options, allowed)?);
        }
        self.platform.synchronize()?;
        let proof = proofs.into_iter().reduce(graver);
        proof.ok_or_else(|| Failure::Execution("the case has no pass to verify".to_owned()))
    }
}

/// The values of an output.
pub(crate) fn read<B: Backend>(output: Tensor<B, 3>) -> Result<Vec<f32>, Failure> {
    let data = output
        .try_into_data()
        .map_err(|error| Failure::Execution(format!("the output cannot be read: {error}")))?;
    data.convert::<f32>()
        .into_vec::<f32>()
        .map_err(|error| Failure::Execution(format!("the output is not float32: {error:?}")))
}

/// The inputs as tensors on a device.
pub(crate) fn upload<P: Platform>(
    inputs: &Inputs,
    device: &<P::Backend as BackendTypes>::Device,
) -> Operands<P> {
    let Inputs { batch, n, .. } = *inputs;
    let matrix = |values: &[f32], rows: usize, columns: usize| {
        Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), device)
    };
    // A matrix of one site has no couplings; the operation takes any [1, 1] in their place.
    let couplings = |values: &[f32]| {
        if n == 1 { matrix(&[0.0], 1, 1) } else { matrix(values, inputs.coupling_rows(), n - 1) }
    };
    BkInputs {
        a_re: matrix(&inputs.a_re, batch, n),
        a_im: inputs.a_im.as_deref().map(|a_im| matrix(a_im, batch, n)),
        b: couplings(&inputs.b),
        c: couplings(&inputs.c),
        z: Tensor::from_data(TensorData::new(inputs.z.to_vec(), [2]), device),
    }
}

/// Cases that would fail, or give a wrong answer for a reason that is not the kernel's.
fn refuse_what_cannot_run(spec: &BkCoreSpec, info: &DeviceInfo) -> Result<(), Failure> {
    // Software Vulkan ends the loops of a unit after 65,535 iterations in total; the serial routine takes
    // two for each group of four sites.
    const SOFTWARE_SITES: usize = 4 * 65_535 / 2 - 4;
    let serial = spec.strategy == bk_harness::case::Strategy::Serial;
    if info.class == DeviceClass::Software && serial && spec.n > SOFTWARE_SITES {
        return Err(Failure::Skip(format!(
            "software Vulkan ends loops after 65,535 iterations: the serial routine takes at most \
             {SOFTWARE_SITES} sites there"
        )));
    }
    if spec.pass.has_backward() && spec.implementation == Implementation::Tensor {
        return Err(Failure::Skip(
            "`tensor` has no backward pass of its own: it is that of Burn's autodiff".to_owned(),
        ));
    }
    let output = 8 * spec.batch as u64 * spec.n as u64;
    match info.max_tensor_bytes {
        Some(most) if output > most => Err(Failure::Skip(format!(
            "the output has {output} bytes and the largest tensor of this device has {most}"
        ))),
        _ => Ok(()),
    }
}

fn failure(error: OperationError) -> Failure {
    match error {
        // A forced routine that this device or size cannot take is no failure of the routine.
        OperationError::Kernel(BkError::Strategy { .. }) => Failure::Skip(error.to_string()),
        other => Failure::Execution(other.to_string()),
    }
}
