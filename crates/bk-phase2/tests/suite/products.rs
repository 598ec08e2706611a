//! The exact matrix product against sums in float64.

use bk_phase2::{BkBackend, Precision};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::models::{Differentiable, distance, values};

fn entries(count: usize, salt: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + salt * 104_729) % 2003) as f32 / 1001.0 - 1.0).collect()
}

fn tensor<B: Backend>(batch: usize, rows: usize, columns: usize, salt: usize) -> Tensor<B, 3> {
    let data = TensorData::new(entries(batch * rows * columns, salt), [batch, rows, columns]);
    Tensor::from_data(data, &B::Device::default())
}

/// Largest error of `lhs · rhs`, both views of transposed matrices where `transposed` says so.
fn error<B: BkBackend>([batch, m, k, n]: [usize; 4], transposed: bool) -> f64 {
    let (lhs, rhs) = if transposed {
        (tensor::<B>(batch, k, m, 1).swap_dims(1, 2), tensor::<B>(batch, n, k, 2).swap_dims(1, 2))
    } else {
        (tensor::<B>(batch, m, k, 1), tensor::<B>(batch, k, n, 2))
    };
    let (left, right) = (values(lhs.clone()), values(rhs.clone()));
    let mut expected = vec![0.0; batch * m * n];
    for (index, entry) in expected.iter_mut().enumerate() {
        let (b, i, j) = (index / (m * n), index / n % m, index % n);
        *entry = (0..k).map(|l| left[(b * m + i) * k + l] * right[(b * k + l) * n + j]).sum();
    }
    distance(&values(bk_burn::matmul(lhs, rhs, Precision::Exact)), &expected)
}

/// Sizes around the edges of tiles, vectors and a long inner axis of odd length.
const SIZES: [[usize; 4]; 8] = [
    [1, 1, 1, 1],
    [2, 3, 5, 2],
    [1, 2, 2, 48],
    [3, 64, 64, 64],
    [1, 65, 13, 104],
    [2, 33, 129, 70],
    [1, 1, 96, 30],
    [4, 24, 8, 1],
];

#[cfg(feature = "wgpu")]
#[test]
fn exact_products_are_exact_on_wgpu() {
    for size in SIZES {
        for transposed in [false, true] {
            let error = error::<crate::models::Gpu>(size, transposed);
            assert!(error < 1e-5 * size[2] as f64, "{size:?} {transposed}: {error}");
        }
    }
}

#[test]
fn exact_products_have_the_gradient_of_a_product() {
    for [batch, m, k, n] in SIZES {
        let gradients = |precision: Precision| {
            let lhs = tensor::<Differentiable>(batch, m, k, 1).require_grad();
            let rhs = tensor::<Differentiable>(batch, k, n, 2).require_grad();
            let product = bk_burn::matmul(lhs.clone(), rhs.clone(), precision);
            let gradients = product.square().sum().backward();
            [values(lhs.grad(&gradients).unwrap()), values(rhs.grad(&gradients).unwrap())]
        };
        let [exact, fast] = [Precision::Exact, Precision::Fast].map(gradients);
        for (exact, fast) in exact.iter().zip(&fast) {
            assert!(distance(exact, fast) < 1e-4);
        }
        assert!(error::<Differentiable>([batch, m, k, n], false) < 1e-5 * k as f64);
    }
}
