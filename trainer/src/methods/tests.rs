//! Each method on a tiny data set.

use tch::Tensor;

use super::*;
use crate::config::{Schedule, TrainingConfig};
use crate::layer::{Activation, Op, Shape};
use crate::rank::Ranks;
use crate::spectrum::{self, Spectrum};
use crate::testing;

fn config(dataset: &Dataset) -> RunConfig {
    let mut config = testing::config(dataset);
    (config.training.epochs, config.network.linear_layers) = (30, 3);
    config
}

/// Trains in a folder that is then forgotten.
fn try_train(recipe: impl Into<Recipe>, config: &RunConfig, dataset: &Dataset) -> Result<Trained, MethodError> {
    train(recipe, config, dataset, Device::Cpu, tempfile::tempdir().unwrap().path())
}

fn trained(method: Method) -> Trained {
    let dataset = testing::dataset();
    try_train(method, &config(&dataset), &dataset).unwrap()
}

/// How the stack of [`trained`] starts.
fn initial_stack() -> Vec<Tensor> {
    let config = config(&testing::dataset());
    let model = Model::initialise(&config.network, config.training.stack_init, config.training.seed, Device::Cpu);
    model.stack().iter().map(Tensor::detach).collect()
}

#[test]
fn every_loss_falls_and_every_result_is_a_run_that_reconstructs() {
    let dataset = testing::dataset();
    for method in Method::ALL {
        let folder = tempfile::tempdir().unwrap();
        let trained = train(method, &config(&dataset), &dataset, Device::Cpu, folder.path()).unwrap();
        assert!(trained.losses[29] < 0.9 * trained.losses[0], "{}: {:?}", method.name(), trained.losses);
        let again = train(method, &config(&dataset), &dataset, Device::Cpu, folder.path()).unwrap();
        assert_eq!((&again.losses, again.seconds), (&trained.losses, trained.seconds), "what is finished is read");
        let run = run::Run::load(folder.path(), Device::Cpu).unwrap();
        let data = DeviceData::upload(&dataset.test, &dataset.normalization, Device::Cpu);
        let error = |model: &Model| crate::quality::mse(&data, usize::MAX, |x| model.forward(x));
        assert_eq!(error(&run.model), error(&trained.model), "{}", method.name());
        let mean = crate::quality::mse(&data, usize::MAX, |x| x.mean_dim([0i64].as_slice(), true, x.kind()));
        let (spec, training) = (&run.config.network, &run.config.training);
        let untrained = error(&Model::initialise(spec, training.stack_init, training.seed, Device::Cpu));
        // After so few steps a VAE has come from gray to about the mean item, how near depends on what it drew.
        let bar = if method == Method::Vae { untrained / 2.0 } else { mean };
        assert!(error(&run.model) < bar, "{}: {} of {bar}", method.name(), error(&run.model));
    }
}

#[test]
fn what_is_taken_up_in_the_middle_ends_the_same_to_the_bit() {
    let dataset = testing::dataset();
    let mut config = config(&dataset);
    // Then four epochs are the first of thirty.
    config.training.schedule = Schedule::Constant;
    let data = DeviceData::upload(&dataset.train, &config.normalization, Device::Cpu);
    // None that draws at random: tests share one source of random numbers.
    for method in [Method::IrmaeShared, Method::Rrae] {
        let objective = || Objective::new(method.into(), Likelihood::Bernoulli, &config, Device::Cpu);
        let folder = tempfile::tempdir().unwrap();
        let short = RunConfig { training: TrainingConfig { epochs: 4, ..config.training.clone() }, ..config.clone() };
        fit(&objective(), &short, &data, folder.path()).unwrap();
        let (resumed, under_way) = fit(&objective(), &config, &data, folder.path()).unwrap();
        let (whole, _) = fit(&objective(), &config, &data, tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(resumed.parameters().flat(), whole.parameters().flat(), "{}", method.name());
        assert_eq!(under_way.into_history().0.len(), 30, "all losses are there");
    }
}

#[test]
fn the_plain_network_gives_the_codes_that_were_trained() {
    let dataset = testing::dataset();
    let config = config(&dataset);
    let data = DeviceData::upload(&dataset.train, &config.normalization, Device::Cpu);
    let x = data.batch(&Tensor::from_slice(&[0i64, 3, 9]));
    for method in Method::ALL.into_iter().filter(|&method| method != Method::Rrae) {
        let objective = Objective::new(method.into(), Likelihood::Bernoulli, &config, Device::Cpu);
        let folder = tempfile::tempdir().unwrap();
        let (model, _) = fit(&objective, &config, &data, folder.path()).unwrap();
        let codes = objective.code(&model, &x).detach();
        let restored = model.decode(&codes);
        let plain = plain::model(&objective, &config.network, model, &data);
        plain.spec().check().unwrap();
        assert!((plain.encode(&x) - codes).abs().max().double_value(&[]) < 1e-5, "{}", method.name());
        assert!((plain.forward(&x) - restored).abs().max().double_value(&[]) < 1e-5, "{}", method.name());
    }
}

#[test]
fn a_fixed_stack_does_not_move_a_shared_one_is_one_and_both_are_l_layers() {
    let [initial, fixed, free] = [initial_stack(), stack(&trained(Method::IrmaeFixed)), stack(&trained(Method::Irmae))];
    assert_eq!(fixed, initial);
    assert!(free.iter().zip(&initial).all(|(after, before)| after != before), "irmae's does move");
    let shared = stack(&trained(Method::IrmaeShared));
    assert_eq!(shared.len(), 3);
    assert!(shared.iter().all(|matrix| *matrix == shared[0]) && shared[0] != initial[0]);
}

fn stack(trained: &Trained) -> Vec<Tensor> {
    trained.model.stack().iter().map(Tensor::detach).collect()
}

#[test]
fn relu_between_layers_makes_a_deeper_encoder() {
    let trained = trained(Method::IrmaeRelu);
    let spec = &trained.config.network;
    assert_eq!((spec.linear_layers, spec.encoder.len()), (0, config(&testing::dataset()).network.encoder.len() + 3));
    let added = &spec.encoder[spec.encoder.len() - 3..];
    assert!(added.iter().all(|layer| layer.op == Op::Dense(Shape::vector(6))));
    assert_eq!(
        added.iter().map(|l| l.activation).collect::<Vec<_>>(),
        [Activation::Relu, Activation::Relu, Activation::None]
    );
}

#[test]
fn rrae_leaves_the_rank_that_it_is_given() {
    let dataset = testing::dataset();
    let recipe = Recipe { rank: Some(2), ..Method::Rrae.into() };
    let trained = try_train(recipe, &config(&dataset), &dataset).unwrap();
    let data = DeviceData::upload(&dataset.train, &dataset.normalization, Device::Cpu);
    let Ranks { numerical_1e3, .. } = Spectrum::measure(&trained.model, &data).ranks;
    assert_eq!(numerical_1e3, 2);
    let error = try_train(Recipe { rank: Some(7), ..recipe }, &config(&dataset), &dataset).unwrap_err();
    assert_eq!(error.to_string(), "rrae is to keep 7 directions of a code of 6 values; give a rank of 1 to 6");
}

#[test]
fn nested_dropout_orders_coefficients_and_penalties_shrink_codes() {
    let dataset = testing::dataset();
    let data = DeviceData::upload(&dataset.train, &dataset.normalization, Device::Cpu);
    let with_first = |method, kept: i64| {
        let model = trained(method).model;
        let prefix = |x: &Tensor| model.decode(&model.encode(x).narrow(1, 0, kept).constant_pad_nd([0, 6 - kept]));
        crate::quality::mse(&data, usize::MAX, prefix)
    };
    assert!(with_first(Method::Nested, 2) < with_first(Method::Ae, 2));

    let size = |method, penalty| {
        let recipe = Recipe { penalty, ..Recipe::from(method) };
        let model = try_train(recipe, &config(&dataset), &dataset).unwrap().model;
        spectrum::codes(&model, &data, usize::MAX).abs().mean(tch::Kind::Float).double_value(&[])
    };
    assert!(size(Method::AeL1, 0.1) < 0.8 * size(Method::Ae, 0.0));
    assert!(size(Method::AeL2, 0.1) < 0.8 * size(Method::Ae, 0.0));
}

#[test]
fn vae_ends_in_a_sigmoid_for_pixels_and_as_it_is_for_signals() {
    let dataset = testing::dataset();
    let config = config(&dataset);
    let last = |likelihood| {
        let recipe = Recipe { likelihood, ..Method::Vae.into() };
        let network = try_train(recipe, &config, &dataset).unwrap().config.network;
        assert_eq!(network.encoder, config.network.encoder, "one head is left");
        network.decoder.last().unwrap().activation
    };
    assert_eq!((last(None), last(Some(Likelihood::Gaussian))), (Activation::Sigmoid, Activation::None));
}
