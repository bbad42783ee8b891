//! Names of tensors as the paper's code has them (`enc.dcnn.0.weight`, `enc.fc.weight`, `mlp.hidden.0.weight`, ...).
//!
//! There the convolutions of a half stand in one `nn.Sequential` called `dcnn`, activations between them, and the dense layer at
//! the code is called `fc`. The activation that follows the decoder's `fc` comes first in its `dcnn`.

use crate::layer::{Activation, Layer, Op};
use crate::network::NetworkSpec;

/// The names of a network's parameters, in the order in which [`Model`](crate::model::Model) keeps them.
pub(super) fn names(spec: &NetworkSpec) -> Vec<String> {
    let mut names = half("enc", &spec.encoder, spec.encoder.len() - 1);
    names.extend(half("dec", &spec.decoder, 0));
    names.extend((0..spec.linear_layers).map(|index| format!("mlp.hidden.{index}.weight")));
    names
}

/// The names of one half, whose layer `at_code` takes or gives the code.
fn half(part: &str, layers: &[Layer], at_code: usize) -> Vec<String> {
    let mut module = 0;
    let mut name = |(index, layer): (usize, &Layer)| {
        let is_fc = index == at_code && matches!(layer.op, Op::Dense(_));
        let path = if is_fc { format!("{part}.fc") } else { format!("{part}.dcnn.{module}") };
        module += usize::from(!is_fc) + usize::from(layer.activation != Activation::None);
        [format!("{path}.weight"), format!("{path}.bias")]
    };
    layers.iter().enumerate().flat_map(&mut name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataShape;
    use crate::presets;

    fn weights(preset: &str, channels: usize, side: usize) -> String {
        let input = DataShape { channels, height: side, width: side, one_dimensional: false };
        let spec = presets::find(preset).unwrap().network(input, 16, 2).unwrap();
        let names = names(&spec);
        names.iter().filter_map(|name| name.strip_suffix(".weight")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_papers_networks_have_the_names_of_its_code() {
        let stack = "mlp.hidden.0 mlp.hidden.1";
        let encoder = "enc.dcnn.0 enc.dcnn.2 enc.dcnn.4 enc.dcnn.6";
        assert_eq!(
            weights("paper-mnist", 1, 32),
            format!("{encoder} enc.fc dec.fc dec.dcnn.1 dec.dcnn.3 dec.dcnn.5 {stack}")
        );
        assert_eq!(
            weights("paper-celeba", 3, 64),
            format!("{encoder} enc.fc dec.fc dec.dcnn.0 dec.dcnn.2 dec.dcnn.4 dec.dcnn.6 {stack}")
        );
        assert_eq!(
            weights("paper-shapes", 3, 32),
            format!("{encoder} enc.dcnn.8 dec.dcnn.0 dec.dcnn.2 dec.dcnn.4 dec.dcnn.6 dec.dcnn.8 {stack}")
        );
    }
}
