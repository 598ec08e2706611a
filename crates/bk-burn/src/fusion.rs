//! `Fusion<B>`: the operation joins the lazy stream as a custom operation, which is never fused itself.

use core::marker::PhantomData;

use bk_kernels::{BkOptions, Strategy};
use burn::backend::ir::{CustomOpIr, HandleContainer, OperationIr, TensorIr};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorMetadata};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, FusionRuntime};

use crate::backend::{BkBackend, BkGradientPrimitives, BkNeeds, BkPrimitives, KeptOutput};
use crate::operation::OperationError;

impl<B: FusionBackend + BkBackend> BkBackend for Fusion<B> {
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        let (output, _) = forward(operands, options, strategy, false)?;
        Ok(output)
    }

    fn kept_states(batch: usize, n: usize, options: &BkOptions, strategy: &Strategy) -> Option<[usize; 3]> {
        B::kept_states(batch, n, options, strategy)
    }

    fn bk_core_keeping(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<KeptOutput<Self>, OperationError> {
        forward(operands, options, strategy, true)
    }

    fn bk_core_backward(
        operands: BkPrimitives<Self>,
        states: Option<FloatTensor<Self>>,
        cotangent: FloatTensor<Self>,
        needs: BkNeeds,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<BkGradientPrimitives<Self>, OperationError> {
        Self::check_backward(&operands, options, strategy)?;
        let BkPrimitives { a_re, a_im, b, c, z } = operands;
        let client = a_re.client.clone();
        let dtype = a_re.dtype();
        let needs = BkNeeds { a_im: needs.a_im && a_im.is_some(), ..needs };
        let outputs: Vec<TensorIr> = wanted(needs, [&a_re, &a_re, &b, &c, &z].map(|operand| operand.shape()))
            .map(|shape| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
            .collect();
        let (has_a_im, has_states) = (a_im.is_some(), states.is_some());
        let mut inputs = vec![cotangent, a_re, b, c, z];
        inputs.extend(a_im);
        inputs.extend(states);
        let streams = OperationStreams::with_inputs(&inputs);
        let inputs: Vec<TensorIr> = inputs.into_iter().map(|tensor| tensor.into_ir()).collect();
        let description = CustomOpIr::new("bk_core_backward", &inputs, &outputs);
        let operation = DeferredBackward::<B> {
            description: description.clone(),
            has_a_im,
            has_states,
            needs,
            options: *options,
            strategy: *strategy,
            backend: PhantomData,
        };
        let mut found = client.register(streams, OperationIr::Custom(description), operation).into_iter();
        let mut next = |wanted: bool| if wanted { found.next() } else { None };
        Ok(BkGradientPrimitives {
            a_re: next(needs.a_re),
            a_im: next(needs.a_im),
            b: next(needs.b),
            c: next(needs.c),
            z: next(needs.z),
        })
    }

    fn check_backward(
        operands: &BkPrimitives<Self>,
        _options: &BkOptions,
        _strategy: &Strategy,
    ) -> Result<(), OperationError> {
        check_type(operands.a_re.dtype())
    }
}

/// Queues the forward pass, with what it keeps if that is wanted and there is any.
fn forward<B: FusionBackend + BkBackend>(
    operands: BkPrimitives<Fusion<B>>,
    options: &BkOptions,
    strategy: &Strategy,
    keeps: bool,
) -> Result<KeptOutput<Fusion<B>>, OperationError> {
    let BkPrimitives { a_re, a_im, b, c, z } = operands;
    // The operation runs later, on another thread, where an error has nobody to go to.
    check_type(a_re.dtype())?;
    let [batch, n] = a_re.shape().dims();
    let client = a_re.client.clone();
    let dtype = a_re.dtype();
    let states = if keeps { B::kept_states(batch, n, options, strategy) } else { None };
    let outputs: Vec<TensorIr> = std::iter::once([batch, n, 2])
        .chain(states)
        .map(|shape| TensorIr::uninit(client.create_empty_handle(), Shape::new(shape), dtype))
        .collect();
    let mut inputs = vec![a_re, b, c, z];
    inputs.extend(a_im);
    let streams = OperationStreams::with_inputs(&inputs);
    let inputs: Vec<TensorIr> = inputs.into_iter().map(|tensor| tensor.into_ir()).collect();
    let description = CustomOpIr::new("bk_core", &inputs, &outputs);
    let operation = Deferred::<B> {
        description: description.clone(),
        options: *options,
        strategy: *strategy,
        backend: PhantomData,
    };
    let mut found = client.register(streams, OperationIr::Custom(description), operation).into_iter();
    let output = found.next().unwrap_or_else(|| unreachable!("as many tensors as descriptions"));
    Ok((output, found.next()))
}

fn check_type(found: DType) -> Result<(), OperationError> {
    if found == DType::F32 {
        return Ok(());
    }
    let expected = "F32, F16 or BF16: the kernel computes in F32".to_owned();
    Err(OperationError::ElementType { operand: "a_re", found, expected })
}

/// Those of `a_re`, `a_im`, `b`, `c`, `z` that are needed, in this order.
fn wanted<T>(needs: BkNeeds, all: [T; 5]) -> impl Iterator<Item = T> {
    let BkNeeds { a_re, a_im, b, c, z } = needs;
    all.into_iter().zip([a_re, a_im, b, c, z]).filter(|(_, wanted)| *wanted).map(|(value, _)| value)
}

#[derive(Clone, Debug)]
struct Deferred<B> {
    description: CustomOpIr,
    options: BkOptions,
    strategy: Strategy,
    backend: PhantomData<B>,
}

impl<B: FusionBackend + BkBackend> Operation<B::FusionRuntime> for Deferred<B> {
    fn execute(&self, handles: &mut HandleContainer<<B::FusionRuntime as FusionRuntime>::FusionHandle>) {
        let inputs = &self.description.inputs;
        let mut tensor = |index: usize| handles.get_float_tensor::<B>(&inputs[index]);
        let operands = BkPrimitives {
            a_re: tensor(0),
            b: tensor(1),
            c: tensor(2),
            z: tensor(3),
            a_im: (inputs.len() > 4).then(|| tensor(4)),
        };
        let outputs = &self.description.outputs;
        let computed = if outputs.len() > 1 {
            B::bk_core_keeping(operands, &self.options, &self.strategy)
        } else {
            B::bk_core(operands, &self.options, &self.strategy).map(|output| (output, None))
        };
        match computed {
            Ok((output, states)) => {
                for (description, tensor) in outputs.iter().zip([Some(output), states].into_iter().flatten())
                {
                    handles.register_float_tensor::<B>(&description.id, tensor);
                }
            }
            // A strategy that the device cannot take: the stream reports it at its next read.
            Err(error) => panic!("bk_core: {error}"),
        }
    }
}

#[derive(Clone, Debug)]
struct DeferredBackward<B> {
    description: CustomOpIr,
    has_a_im: bool,
    has_states: bool,
    needs: BkNeeds,
    options: BkOptions,
    strategy: Strategy,
    backend: PhantomData<B>,
}

impl<B: FusionBackend + BkBackend> Operation<B::FusionRuntime> for DeferredBackward<B> {
    fn execute(&self, handles: &mut HandleContainer<<B::FusionRuntime as FusionRuntime>::FusionHandle>) {
        let CustomOpIr { inputs, outputs, .. } = &self.description;
        let mut tensor = |index: usize| handles.get_float_tensor::<B>(&inputs[index]);
        let cotangent = tensor(0);
        let operands = BkPrimitives {
            a_re: tensor(1),
            b: tensor(2),
            c: tensor(3),
            z: tensor(4),
            a_im: self.has_a_im.then(|| tensor(5)),
        };
        let states = self.has_states.then(|| tensor(inputs.len() - 1));
        match B::bk_core_backward(operands, states, cotangent, self.needs, &self.options, &self.strategy) {
            Ok(found) => {
                let BkGradientPrimitives { a_re, a_im, b, c, z } = found;
                for (output, gradient) in outputs.iter().zip([a_re, a_im, b, c, z].into_iter().flatten()) {
                    handles.register_float_tensor::<B>(&output.id, gradient);
                }
            }
            // A strategy that the device cannot take: the stream reports it at its next read.
            Err(error) => panic!("bk_core_backward: {error}"),
        }
    }
}
