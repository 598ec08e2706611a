//! `Fusion<B>`: the operation joins the lazy stream as a custom operation, which is never fused itself.

use core::marker::PhantomData;

use bk_kernels::{BkOptions, Strategy};
use burn::backend::ir::{CustomOpIr, HandleContainer, OperationIr, OperationOutput, TensorIr};
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorMetadata};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, FusionRuntime};

use crate::backend::{BkBackend, BkPrimitives};
use crate::operation::OperationError;

impl<B: FusionBackend + BkBackend> BkBackend for Fusion<B> {
    fn bk_core(
        operands: BkPrimitives<Self>,
        options: &BkOptions,
        strategy: &Strategy,
    ) -> Result<FloatTensor<Self>, OperationError> {
        let BkPrimitives { a_re, a_im, b, c, z } = operands;
        // The operation runs later, on another thread, where an error has nobody to go to.
        if a_re.dtype() != DType::F32 {
            let expected = "F32: the kernel takes no other type yet".to_owned();
            return Err(OperationError::ElementType { operand: "a_re", found: a_re.dtype(), expected });
        }
        let [batch, n] = a_re.shape().dims();
        let client = a_re.client.clone();
        let output = TensorIr::uninit(client.create_empty_handle(), Shape::new([batch, n, 2]), a_re.dtype());
        let mut inputs = vec![a_re, b, c, z];
        inputs.extend(a_im);
        let streams = OperationStreams::with_inputs(&inputs);
        let inputs: Vec<TensorIr> = inputs.into_iter().map(|tensor| tensor.into_ir()).collect();
        let description = CustomOpIr::new("bk_core", &inputs, &[output]);
        let operation = Deferred::<B> {
            description: description.clone(),
            options: *options,
            strategy: *strategy,
            backend: PhantomData,
        };
        Ok(client.register(streams, OperationIr::Custom(description), operation).output())
    }
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
        match B::bk_core(operands, &self.options, &self.strategy) {
            Ok(output) => {
                handles.register_float_tensor::<B>(&self.description.outputs[0].id, output);
            }
            // A strategy that the device cannot take: the stream reports it at its next read.
            Err(error) => panic!("bk_core: {error}"),
        }
    }
}
