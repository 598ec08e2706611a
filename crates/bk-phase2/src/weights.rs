//! Between the parameters of the model and the tensors of a file.
//!
//! PyTorch's linear weights are `[out, in]`, ours `[in, out]`; `q`, `k`, `v` and the two projections of the
//! potential are apart there and one here; `z` is two tensors there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bk_burn::BkBackend;
use burn::module::Param;
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::block::Phase2Block;
use crate::error::ModelError;
use crate::file::{FileError, HostTensor, Phase2File};
use crate::layers::{Dense, Norm};
use crate::model::Phase2Model;

/// Why weights did not come in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl<B: BkBackend> Phase2Model<B> {
    /// The model of a file, in float32, and warnings: the names of tensors that no model of this
    /// configuration has.
    ///
    /// # Errors
    /// [`FileError::Tensors`] with the name of every tensor that is missing or misshapen.
    pub fn import(
        file: &Phase2File,
        device: &<B as BackendTypes>::Device,
    ) -> Result<(Self, Vec<String>), ImportError> {
        let model = Self::zeros(&file.config, device)?;
        let mut reader = Reader { file, device, problems: Vec::new(), used: BTreeSet::new() };
        let model = reader.model(model);
        if !reader.problems.is_empty() {
            return Err(FileError::Tensors(reader.problems).into());
        }
        let unused = file.weights.keys().filter(|name| !reader.used.contains(*name));
        let mut unknown: Vec<String> = unused.map(|name| format!("weights.{name}")).collect();
        unknown.extend(file.unknown.iter().cloned());
        Ok((model, unknown))
    }

    /// The bytes of a file that [`Phase2File::parse`] and the PyTorch project read: float32.
    ///
    /// # Errors
    /// [`ModelError::Read`] when a weight cannot be brought to the host.
    pub fn export(&self) -> Result<Vec<u8>, ModelError> {
        let mut writer = Writer::default();
        writer.model(self)?;
        let config =
            serde_json::to_string(&*self.config).map_err(|error| ModelError::Read(error.to_string()))?;
        let metadata = HashMap::from([("config".to_owned(), config)]);
        let views: Result<Vec<_>, _> = writer
            .tensors
            .iter()
            .map(|(name, (shape, bytes))| {
                TensorView::new(Dtype::F32, shape.clone(), bytes)
                    .map(|view| (format!("weights.{name}"), view))
            })
            .collect();
        views
            .and_then(|views| safetensors::serialize(views, Some(metadata)))
            .map_err(|error| ModelError::Read(error.to_string()))
    }
}

/// Takes weights out of a file and notes what is missing.
struct Reader<'a, B: Backend> {
    file: &'a Phase2File,
    device: &'a <B as BackendTypes>::Device,
    problems: Vec<String>,
    used: BTreeSet<String>,
}

impl<B: BkBackend> Reader<'_, B> {
    fn model(&mut self, mut model: Phase2Model<B>) -> Phase2Model<B> {
        self.fill(&mut model.embedding.token, "token_embedding.weight");
        self.fill(&mut model.embedding.position, "position_embedding._fixed_embedding");
        for (index, block) in model.blocks.iter_mut().enumerate() {
            self.block(block, &format!("blocks.{index}."));
        }
        self.norm(&mut model.ln_f, "ln_f");
        self.dense(&mut model.lm_head, "lm_head");
        model
    }

    fn block(&mut self, block: &mut Phase2Block<B>, at: &str) {
        self.norm(&mut block.ln1, &format!("{at}ln1"));
        let potential =
            ["v_proj", "gamma_proj"].map(|name| format!("{at}dissipative_bk.potential.{name}.weight"));
        self.columns(&mut block.potential.weight, &potential);
        let bk = &mut block.dissipative_bk;
        self.fill(&mut bk.h0_super, &format!("{at}dissipative_bk.h0_super"));
        self.fill(&mut bk.h0_sub, &format!("{at}dissipative_bk.h0_sub"));
        let z = ["re", "im"].map(|part| self.take(&format!("{at}dissipative_bk.z.{part}"), &[1]));
        self.set(&mut bk.z, z.concat());
        self.dense(&mut bk.bk_proj, &format!("{at}bk_proj"));
        self.norm(&mut block.ln2, &format!("{at}ln2"));
        let hebbian = &mut block.hebbian;
        let qkv = ["q_proj", "k_proj", "v_proj"].map(|name| format!("{at}hebbian.{name}.weight"));
        self.columns(&mut hebbian.qkv_proj.weight, &qkv);
        self.dense(&mut hebbian.out_proj, &format!("{at}hebbian.out_proj"));
        self.row(&mut hebbian.memory_to_potential, &format!("{at}hebbian.memory_to_potential.weight"));
        self.row(&mut block.resonance_gate.weight, &format!("{at}resonance.resonance_gate.weight"));
        self.fill(&mut block.resonance_gate.bias, &format!("{at}resonance.resonance_gate.bias"));
        self.norm(&mut block.ln3, &format!("{at}ln3"));
        self.dense(&mut block.ffn_in, &format!("{at}ffn.0"));
        self.dense(&mut block.ffn_out, &format!("{at}ffn.3"));
    }

    fn norm(&mut self, norm: &mut Norm<B>, at: &str) {
        self.fill(&mut norm.weight, &format!("{at}.weight"));
        self.fill(&mut norm.bias, &format!("{at}.bias"));
    }

    fn dense(&mut self, dense: &mut Dense<B>, at: &str) {
        self.columns(&mut dense.weight, &[format!("{at}.weight")]);
        if let Some(bias) = &mut dense.bias {
            self.fill(bias, &format!("{at}.bias"));
        }
    }

    /// `[in, out]` from one or more `[out / count, in]`, side by side.
    fn columns(&mut self, param: &mut Param<Tensor<B, 2>>, names: &[String]) {
        let [input, output] = param.val().dims();
        let share = output / names.len();
        let parts: Vec<Vec<f32>> = names.iter().map(|name| self.take(name, &[share, input])).collect();
        let values = (0..input).flat_map(|row| {
            parts.iter().flat_map(move |part| (0..share).map(move |column| part[column * input + row]))
        });
        let values = values.collect();
        self.set(param, values);
    }

    /// `[length]` from `[1, length]`.
    fn row(&mut self, param: &mut Param<Tensor<B, 1>>, name: &str) {
        let [length] = param.val().dims();
        let values = self.take(name, &[1, length]);
        self.set(param, values);
    }

    /// A tensor of the same shape.
    fn fill<const D: usize>(&mut self, param: &mut Param<Tensor<B, D>>, name: &str) {
        let values = self.take(name, &param.val().dims());
        self.set(param, values);
    }

    fn set<const D: usize>(&self, param: &mut Param<Tensor<B, D>>, values: Vec<f32>) {
        let old = param.val();
        let tensor = Tensor::from_data(TensorData::new(values, old.dims()), self.device);
        *param = Param::initialized(param.id, tensor.set_require_grad(old.is_require_grad()));
    }

    /// The values of a tensor, or zeros and a problem.
    fn take(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        self.used.insert(name.to_owned());
        match self.file.weights.get(name) {
            Some(HostTensor { shape: found, values }) if found == shape => {
                return values.iter().map(|value| *value as f32).collect();
            }
            Some(HostTensor { shape: found, .. }) => {
                self.problems.push(format!("`weights.{name}` has shape {found:?}, expected {shape:?}"));
            }
            None => self.problems.push(format!("`weights.{name}` is missing, expected with shape {shape:?}")),
        }
        vec![0.0; shape.iter().product()]
    }
}

/// Collects tensors under their names.
#[derive(Default)]
struct Writer {
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl Writer {
    fn model<B: BkBackend>(&mut self, model: &Phase2Model<B>) -> Result<(), ModelError> {
        self.plain(&model.embedding.token, "token_embedding.weight")?;
        self.plain(&model.embedding.position, "position_embedding._fixed_embedding")?;
        for (index, block) in model.blocks.iter().enumerate() {
            self.block(block, &format!("blocks.{index}."))?;
        }
        self.norm(&model.ln_f, "ln_f")?;
        self.dense(&model.lm_head, "lm_head")
    }

    fn block<B: BkBackend>(&mut self, block: &Phase2Block<B>, at: &str) -> Result<(), ModelError> {
        self.norm(&block.ln1, &format!("{at}ln1"))?;
        let potential =
            ["v_proj", "gamma_proj"].map(|name| format!("{at}dissipative_bk.potential.{name}.weight"));
        self.columns(&block.potential.weight, &potential)?;
        let bk = &block.dissipative_bk;
        self.plain(&bk.h0_super, &format!("{at}dissipative_bk.h0_super"))?;
        self.plain(&bk.h0_sub, &format!("{at}dissipative_bk.h0_sub"))?;
        let z = values(bk.z.val())?;
        for (part, value) in ["re", "im"].into_iter().zip(z) {
            self.put(format!("{at}dissipative_bk.z.{part}"), vec![1], &[value]);
        }
        self.dense(&bk.bk_proj, &format!("{at}bk_proj"))?;
        self.norm(&block.ln2, &format!("{at}ln2"))?;
        let hebbian = &block.hebbian;
        let qkv = ["q_proj", "k_proj", "v_proj"].map(|name| format!("{at}hebbian.{name}.weight"));
        self.columns(&hebbian.qkv_proj.weight, &qkv)?;
        self.dense(&hebbian.out_proj, &format!("{at}hebbian.out_proj"))?;
        self.row(&hebbian.memory_to_potential, &format!("{at}hebbian.memory_to_potential.weight"))?;
        self.row(&block.resonance_gate.weight, &format!("{at}resonance.resonance_gate.weight"))?;
        self.plain(&block.resonance_gate.bias, &format!("{at}resonance.resonance_gate.bias"))?;
        self.norm(&block.ln3, &format!("{at}ln3"))?;
        self.dense(&block.ffn_in, &format!("{at}ffn.0"))?;
        self.dense(&block.ffn_out, &format!("{at}ffn.3"))
    }

    fn norm<B: BkBackend>(&mut self, norm: &Norm<B>, at: &str) -> Result<(), ModelError> {
        self.plain(&norm.weight, &format!("{at}.weight"))?;
        self.plain(&norm.bias, &format!("{at}.bias"))
    }

    fn dense<B: BkBackend>(&mut self, dense: &Dense<B>, at: &str) -> Result<(), ModelError> {
        self.columns(&dense.weight, &[format!("{at}.weight")])?;
        match &dense.bias {
            Some(bias) => self.plain(bias, &format!("{at}.bias")),
            None => Ok(()),
        }
    }

    fn columns<B: BkBackend>(
        &mut self,
        param: &Param<Tensor<B, 2>>,
        names: &[String],
    ) -> Result<(), ModelError> {
        let [input, output] = param.val().dims();
        let share = output / names.len();
        let all = values(param.val().transpose())?;
        for (name, part) in names.iter().zip(all.chunks_exact(share * input)) {
            self.put(name.clone(), vec![share, input], part);
        }
        Ok(())
    }

    fn row<B: BkBackend>(&mut self, param: &Param<Tensor<B, 1>>, name: &str) -> Result<(), ModelError> {
        let row = values(param.val())?;
        self.put(name.to_owned(), vec![1, row.len()], &row);
        Ok(())
    }

    fn plain<B: BkBackend, const D: usize>(
        &mut self,
        param: &Param<Tensor<B, D>>,
        name: &str,
    ) -> Result<(), ModelError> {
        let shape = param.val().dims().to_vec();
        self.put(name.to_owned(), shape, &values(param.val())?);
        Ok(())
    }

    fn put(&mut self, name: String, shape: Vec<usize>, values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.insert(name, (shape, bytes));
    }
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, ModelError> {
    let data =
        tensor.cast(DType::F32).try_into_data().map_err(|error| ModelError::Read(error.to_string()))?;
    data.into_vec().map_err(|error| ModelError::Read(format!("{error:?}")))
}
