//! One step of training and all that the next one depends on; the loops of the command line and of the page stand on
//! it.

use super::TrainError;
use super::batch::{Batch, Batches};
use super::checkpoint::Checkpoint;
use super::ema::Ema;
use super::flat::{Flat, read};
use super::optimizer::{AdamWOptions, Optimizer};
use crate::weights::load_module;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

/// What is trained: the model's loss on the batch of a step.
pub trait Stage {
    type Model: Module;

    /// Where the batches of the steps come from.
    fn batches(&self) -> &Batches<'_>;

    /// Loss of the batch of `step` with its graph.
    fn loss(&self, model: &Self::Model, batch: &Batch, step: usize) -> Result<StageLoss, TrainError>;
}

/// A batch's loss and named numbers about it, each `[1]`.
pub struct StageLoss {
    pub total: Tensor<1>,
    pub details: Vec<(String, Tensor<1>)>,
}

/// What a step says of itself, still on the device.
pub struct Taken {
    loss: StageLoss,
    /// Global norm of the gradients before clipping, `[1]`.
    norm: Tensor<1>,
}

impl Taken {
    /// `loss`, `grad_norm` and the stage's own numbers, in one read; refused if the loss is no number any more.
    pub async fn numbers(self, step: usize) -> Result<Vec<(String, f32)>, TrainError> {
        let mut names = vec!["loss".to_string(), "grad_norm".to_string()];
        let mut values = vec![self.loss.total.without_autodiff(), self.norm];
        for (name, value) in self.loss.details {
            names.push(name);
            values.push(value.without_autodiff());
        }
        let values = read(Tensor::cat(values, 0)).await?;
        match values.first() {
            Some(loss) if !loss.is_finite() => Err(TrainError::Diverged { step, loss: *loss }),
            _ => Ok(names.into_iter().zip(values).collect()),
        }
    }
}

/// Everything that the next step depends on, the data aside.
pub struct State<M> {
    pub model: M,
    optimizer: Optimizer,
    ema: Ema,
    /// Steps done.
    pub step: usize,
}

impl<M: Module> State<M> {
    /// Before the first step; `model` is on an autodiff device, `ema` the decay of its running average.
    pub fn new(model: M, optimizer: AdamWOptions, ema: f64) -> Self {
        Self {
            model,
            optimizer: Optimizer::new(optimizer),
            ema: Ema::new(ema),
            step: 0,
        }
    }

    /// One step on its `batch` at the learning rate `lr`. An error leaves everything as it was.
    pub fn advance<S: Stage<Model = M>>(&mut self, stage: &S, batch: &Batch, lr: f64) -> Result<Taken, TrainError> {
        let loss = stage.loss(&self.model, batch, self.step)?;
        let grads = loss.total.backward();
        let (model, norm) = self.optimizer.step(self.model.clone(), &grads, lr);
        self.ema.update(&model, self.step);
        self.model = model;
        self.step += 1;
        Ok(Taken { loss, norm })
    }

    /// The model with averaged weights, outside autodiff.
    pub fn average(&self) -> M {
        self.ema.apply(without_autodiff(self.model.clone()))
    }

    /// All of it on the host; `config` says of which run it is.
    pub async fn checkpoint(&self, config: String) -> Result<Checkpoint, TrainError> {
        // Outside autodiff nothing counts as frozen: what is not trained belongs to the model all the same.
        let model = match Flat::values(&without_autodiff(self.model.clone()), |_| true) {
            Some(values) => values.export("").await?,
            None => Default::default(),
        };
        Ok(Checkpoint {
            step: self.step,
            config,
            model,
            optimizer: self.optimizer.export().await?,
            ema: self.ema.export().await?,
        })
    }

    /// Takes up where [`checkpoint`](Self::checkpoint) was taken.
    pub fn restore(mut self, mut saved: Checkpoint) -> Result<Self, TrainError> {
        self.model = load_module(self.model, &mut saved.model, str::to_string)?;
        self.optimizer.import(&saved.optimizer);
        self.ema.import(&saved.ema);
        self.step = saved.step;
        Ok(self)
    }
}

/// The module with its parameters detached from autodiff.
pub fn without_autodiff<M: Module>(module: M) -> M {
    struct Detach;
    impl ModuleMapper for Detach {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor.without_autodiff())
        }
    }
    module.map(&mut Detach)
}
