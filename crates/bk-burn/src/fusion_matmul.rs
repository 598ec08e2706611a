//! The exact matrix product on `Fusion<B>`: a custom operation of the lazy stream, which is never fused.

use core::marker::PhantomData;

use burn::backend::ir::{CustomOpIr, HandleContainer, OperationIr, OperationOutput, TensorIr};
use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, FusionRuntime};

use crate::matmul::ExactMatmul;

pub(crate) fn matmul_exact<B: FusionBackend + ExactMatmul>(
    lhs: FloatTensor<Fusion<B>>,
    rhs: FloatTensor<Fusion<B>>,
) -> FloatTensor<Fusion<B>> {
    let mut shape = lhs.shape();
    let last = shape.num_dims() - 1;
    shape[last] = rhs.shape()[last];
    let client = lhs.client.clone();
    let output = TensorIr::uninit(client.create_empty_handle(), shape, lhs.dtype());
    let inputs = [lhs, rhs];
    let streams = OperationStreams::with_inputs(&inputs);
    let inputs = inputs.map(|tensor| tensor.into_ir());
    let description = CustomOpIr::new("matmul_exact", &inputs, &[output]);
    let operation = Deferred::<B> { description: description.clone(), backend: PhantomData };
    client.register(streams, OperationIr::Custom(description), operation).output()
}

#[derive(Clone, Debug)]
struct Deferred<B> {
    description: CustomOpIr,
    backend: PhantomData<B>,
}

impl<B: FusionBackend + ExactMatmul> Operation<B::FusionRuntime> for Deferred<B> {
    fn execute(&self, handles: &mut HandleContainer<<B::FusionRuntime as FusionRuntime>::FusionHandle>) {
        let inputs = &self.description.inputs;
        let lhs = handles.get_float_tensor::<B>(&inputs[0]);
        let rhs = handles.get_float_tensor::<B>(&inputs[1]);
        handles.register_float_tensor::<B>(&self.description.outputs[0].id, B::matmul_exact(lhs, rhs));
    }
}
