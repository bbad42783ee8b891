//! The models that a gateway knows, each with its decoder.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use irmae_infer::format::AlignedBytes;
use irmae_infer::{Decoder, Model, RunError};

use crate::files;
use crate::npy::Samples;

/// A model file, and the one node that it is for; without it, it is for all.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelArg {
    node: Option<String>,
    path: PathBuf,
}

impl ModelArg {
    /// Reads `FILE` or `NODE=FILE`.
    pub(crate) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(match text.split_once('=') {
            Some((node, path)) if !Path::new(text).exists() => Self { node: Some(node.into()), path: path.into() },
            _ => Self { node: None, path: text.into() },
        })
    }

    /// Whether two files could decode the packets of one node.
    fn meets(&self, other: &Self) -> bool {
        self.node.is_none() || other.node.is_none() || self.node == other.node
    }
}

/// The model files' bytes, which models borrow.
pub(crate) fn read(args: &[ModelArg]) -> Result<Vec<AlignedBytes>> {
    args.iter().map(|arg| files::read_model(&arg.path)).collect()
}

/// The models in `files`. No two of one id may meet: nothing would choose between them.
pub(crate) fn load<'m>(args: &[ModelArg], files: &'m [AlignedBytes]) -> Result<Vec<Model<'m>>> {
    let models: Vec<Model<'m>> =
        args.iter().zip(files).map(|(arg, bytes)| files::load_model(bytes, &arg.path)).collect::<Result<_>>()?;
    for (i, arg) in args.iter().enumerate() {
        if let Some(twin) = (0..i).find(|&j| models[j].id() == models[i].id() && arg.meets(&args[j])) {
            let [first, second] = [&args[twin].path, &arg.path].map(|path| path.display());
            bail!("{first} and {second} have the same model id {:016x}: give one of them", models[i].id());
        }
    }
    Ok(models)
}

/// A model at work.
pub(crate) struct Entry<'m> {
    node: Option<String>,
    pub(crate) model: &'m Model<'m>,
    decoder: Decoder<'m, 'm>,
    /// The code of the packet at hand.
    pub(crate) code: Vec<i16>,
    /// Its window, in the device's order.
    pub(crate) samples: Samples,
}

impl Entry<'_> {
    /// Turns `code` into `samples`.
    pub(crate) fn decode(&mut self) -> Result<(), RunError> {
        match &mut self.samples {
            Samples::U8(values) => self.decoder.decode(&self.code, values),
            Samples::I16(values) => self.decoder.decode(&self.code, values),
            Samples::U16(values) => self.decoder.decode(&self.code, values),
            Samples::F32(values) => self.decoder.decode(&self.code, values),
        }
    }
}

/// All models.
pub(crate) struct Bank<'m> {
    pub(crate) entries: Vec<Entry<'m>>,
}

impl<'m> Bank<'m> {
    /// Decoders of `models`, each in one of `buffers`.
    pub(crate) fn new(args: &[ModelArg], models: &'m [Model<'m>], buffers: &'m mut [AlignedBytes]) -> Result<Self> {
        let entries = args.iter().zip(models).zip(buffers).map(|((arg, model), buffer)| {
            let decoder = Decoder::new(model, buffer.as_mut_slice());
            let decoder =
                decoder.map_err(|error| anyhow::Error::from(error).context(arg.path.display().to_string()))?;
            let (code, samples) = (vec![0; model.code_len()], Samples::zeroed(model.raw_type(), model.frame().len()));
            Ok(Entry { node: arg.node.clone(), model, decoder, code, samples })
        });
        Ok(Self { entries: entries.collect::<Result<_>>()? })
    }

    /// The models whose packets `node` may send: its own ones, else those for all.
    pub(crate) fn candidates(&self, node: &str) -> Vec<usize> {
        let of = |owner: Option<&str>| -> Vec<usize> {
            (0..self.entries.len()).filter(|&i| self.entries[i].node.as_deref() == owner).collect()
        };
        let own = of(Some(node));
        if own.is_empty() { of(None) } else { own }
    }
}

/// That every node has one model, as packets that name none need.
pub(crate) fn check_bare(args: &[ModelArg]) -> Result<()> {
    for (i, arg) in args.iter().enumerate() {
        if args[..i].iter().any(|other| other.node == arg.node) {
            let whose = arg.node.as_deref().unwrap_or("every node");
            bail!("two models for {whose}, and bare packets do not say which: give one, or --model NODE=FILE for each");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_be_for_one_node() {
        let parse = |text: &str| ModelArg::parse(text).unwrap();
        assert_eq!(parse("a/b.irmae"), ModelArg { node: None, path: "a/b.irmae".into() });
        assert_eq!(parse("n7=b.irmae"), ModelArg { node: Some("n7".into()), path: "b.irmae".into() });
        let bare = |texts: &[&str]| check_bare(&texts.iter().map(|text| parse(text)).collect::<Vec<_>>());
        assert!(bare(&["b.irmae", "n7=c.irmae"]).is_ok());
        assert!(bare(&["b.irmae", "c.irmae"]).unwrap_err().to_string().starts_with("two models for every node"));
    }
}
