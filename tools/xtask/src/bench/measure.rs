//! Figures of one core.

use super::{
    BenchError,
    counter::{Counter, Region},
    report::{Layer, Network},
};
use crate::{
    env::Env,
    firmware::{
        self, Board, FirmwareError,
        image::{self, Program},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A core of the tables.
#[derive(Debug)]
pub(super) struct Core {
    /// Its name there.
    pub(super) name: &'static str,
    /// The board that stands for it.
    board: &'static str,
    /// The model of cycles is of this one.
    has_cycles: bool,
}

const fn core(name: &'static str, board: &'static str) -> Core {
    Core { name, board, has_cycles: false }
}

/// In order of what they can do.
pub(super) static CORES: [Core; 6] = [
    core("m0plus", "an385-m0"),
    core("m3", "an385"),
    Core { has_cycles: true, ..core("m4", "an386") },
    core("m7", "an500"),
    core("m55", "an547"),
    core("rv32", "virt-imc"),
];

/// Instructions of the region that is run to check the counter, and the cycles that the model gives it: 99 refills more
/// than the instructions.
const KNOWN_LOOP: (u64, u64) = (201, 201 + 99 * 2);

impl Core {
    fn board(&self) -> &'static Board {
        firmware::find(self.board).expect("the board is in the list")
    }

    /// Runs all layers and networks.
    pub(super) fn measure(&self, env: &Env, counter: &Counter, cases: &Path) -> Result<Figures, BenchError> {
        let (board, folder) = (self.board(), self.folder(env));
        let image = image::build(env, board, Program { name: "bench", cases, arguments: &[] }, &folder)?;
        let regions = counter.run(board, &image, &folder)?;
        self.figures(&regions)
    }

    /// Code of the smallest programs that run `case`: one that encodes, and one that also decodes. They must work.
    pub(super) fn code_bytes(&self, env: &Env, counter: &Counter, case: &Path) -> Result<[u64; 2], BenchError> {
        let encoder = [&["--no-default-features"][..], &["encoder.irmae", "input.bin"]];
        let both =
            [&["--no-default-features", "--features", "decode"][..], &["encoder.irmae", "decoder.irmae", "input.bin"]];
        Ok([
            self.code_bytes_of(env, counter, "encoder", case, encoder)?,
            self.code_bytes_of(env, counter, "codec", case, both)?,
        ])
    }

    fn code_bytes_of(
        &self,
        env: &Env,
        counter: &Counter,
        name: &str,
        case: &Path,
        [arguments, carried]: [&[&str]; 2],
    ) -> Result<u64, BenchError> {
        let cases = case.parent().unwrap_or(case);
        let program = Program { name, cases, arguments };
        let image = image::build(env, self.board(), program, &self.folder(env))?;
        counter.run(self.board(), &image, &self.folder(env))?;
        let mut code_bytes = image.sizes.flash;
        for file in carried.iter().map(|file| case.join(file)) {
            code_bytes -= fs::metadata(&file).map_err(FirmwareError::io(&file))?.len();
        }
        Ok(code_bytes)
    }

    fn folder(&self, env: &Env) -> PathBuf {
        env.root.join("target/bench").join(self.name)
    }

    /// Reads what the program `bench` ran, which begins with two regions that are known.
    fn figures(&self, regions: &[Region]) -> Result<Figures, BenchError> {
        let unknown = BenchError::Counts { board: self.board };
        let [empty, known, regions @ ..] = regions else { return Err(unknown) };
        self.check(empty, (0, 0))?;
        self.check(known, KNOWN_LOOP)?;
        let mut figures = Figures::default();
        regions.iter().try_for_each(|region| figures.add(self, region)).ok_or(unknown)?;
        Ok(figures)
    }

    fn check(&self, region: &Region, (instructions, cycles): (u64, u64)) -> Result<(), BenchError> {
        let is_right = region.instructions == instructions && (!self.has_cycles || region.cycles == cycles);
        let (expected, found) = (instructions, region.instructions);
        if is_right { Ok(()) } else { Err(BenchError::Miscounted { board: self.board, expected, found }) }
    }
}

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) layers: Vec<Layer>,
    pub(super) networks: Vec<Network>,
}

impl Figures {
    fn add(&mut self, core: &Core, region: &Region) -> Option<()> {
        let words: Vec<&str> = region.words.iter().map(String::as_str).collect();
        let &Region { instructions, stack_bytes, .. } = region;
        let modelled_cycles = core.has_cycles.then_some(region.cycles);
        match (words.as_slice(), self.networks.last_mut()) {
            (["layer", layer, macs, buffer], _) => self.layers.push(Layer {
                core: core.name,
                layer: (*layer).into(),
                macs: macs.parse().ok()?,
                instructions,
                buffer_bytes: buffer.parse().ok()?,
                modelled_cycles,
            }),
            (["load_encoder", name, buffer], _) => {
                let (network, precision) = name.rsplit_once('-')?;
                self.networks.push(Network {
                    core: core.name,
                    network: network.into(),
                    precision: precision.into(),
                    load_encoder_instructions: instructions,
                    buffer_bytes: buffer.parse().ok()?,
                    peak_stack_bytes: stack_bytes,
                    ..Network::default()
                });
            }
            (["encode", _], Some(network)) => {
                network.encode_instructions = instructions;
                network.encode_modelled_cycles = modelled_cycles;
                network.peak_stack_bytes = network.peak_stack_bytes.max(stack_bytes);
            }
            (["code", _, coefficients], Some(network)) => {
                network.coefficients = coefficients.parse().ok()?;
                network.code_instructions = instructions;
            }
            (["load_decoder", _, buffer], Some(network)) => {
                network.load_decoder_instructions = instructions;
                network.decoder_buffer_bytes = buffer.parse().ok()?;
                network.decoder_peak_stack_bytes = stack_bytes;
            }
            (["decode", _], Some(network)) => {
                network.decode_instructions = instructions;
                network.decode_modelled_cycles = modelled_cycles;
                network.decoder_peak_stack_bytes = network.decoder_peak_stack_bytes.max(stack_bytes);
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(line: &str, instructions: u64, stack_bytes: u64) -> Region {
        Region { words: line.split(' ').map(String::from).collect(), instructions, cycles: 399, stack_bytes }
    }

    #[test]
    fn regions_become_layers_and_networks() {
        let (empty, known) = (Region { cycles: 0, ..region("empty", 0, 0) }, region("known_loop", 201, 0));
        let mut regions =
            vec![empty, known, region("layer conv 64 32", 99, 8), region("load_encoder a-b-i8 100", 1, 50)];
        regions.extend([
            region("encode a-b-i8", 2, 70),
            region("code a-b-i8 5", 600, 70),
            region("load_decoder a-b-i8 80", 3, 60),
            region("decode a-b-i8", 4, 40),
        ]);
        let figures = CORES[2].figures(&regions).unwrap();
        let layer = &figures.layers[0];
        assert_eq!((layer.core, layer.layer.as_str(), layer.macs, layer.instructions), ("m4", "conv", 64, 99));
        assert_eq!((layer.buffer_bytes, layer.modelled_cycles), (32, Some(399)));
        let network = &figures.networks[0];
        assert_eq!((network.network.as_str(), network.precision.as_str()), ("a-b", "i8"));
        assert_eq!((network.encode_instructions, network.decode_instructions), (2, 4));
        assert_eq!((network.code_instructions, network.coefficients), (600, 5));
        assert_eq!((network.peak_stack_bytes, network.decoder_peak_stack_bytes), (70, 60));
        regions[1].instructions += 1;
        assert!(matches!(CORES[2].figures(&regions), Err(BenchError::Miscounted { found: 202, .. })));
    }
}
