//! Who is compared.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to make a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Trained, collapsed and tuned for packets.
    Ours,
    /// Principal components.
    Pca,
    /// A plain autoencoder.
    Ae,
    /// A variational autoencoder.
    Vae,
    /// A rank reduction autoencoder.
    Rrae,
    /// An autoencoder with nested dropout.
    Nested,
    /// IRMAE as its paper trains it, collapsed and cut.
    Irmae,
    /// IRMAE as ours is trained, for all the steps, collapsed, not tuned.
    IrmaePreset,
}

/// A way to make a code, of so many coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// How.
    pub kind: Kind,
    /// Size of the code of `ae` and `rrae`; without one, that of ours.
    pub width: Option<usize>,
}

impl Kind {
    const ALL: [Self; 8] =
        [Self::Ours, Self::Pca, Self::Ae, Self::Vae, Self::Rrae, Self::Nested, Self::Irmae, Self::IrmaePreset];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Pca => "pca",
            Self::Ae => "ae",
            Self::Vae => "vae",
            Self::Rrae => "rrae",
            Self::Nested => "nested",
            Self::Irmae => "irmae",
            Self::IrmaePreset => "irmae_preset",
        }
    }

    fn takes_width(self) -> bool {
        matches!(self, Self::Ae | Self::Rrae)
    }

    /// What it is, in a sentence.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Ours => {
                "IRMAE by its preset, collapsed, and tuned for packets with quantiser and price of bits in the loop"
            }
            Self::Pca => "principal components of the training items, no network",
            Self::Ae => "plain autoencoder; its code has as many coefficients as ours sends, or the number in its name",
            Self::Vae => "variational autoencoder with squared error and 0.1 of the divergence in nats",
            Self::Rrae => {
                "rank reduction autoencoder: each batch of codes is cut to as many directions as ours sends, or the number in its name"
            }
            Self::Nested => "autoencoder whose decoder sees prefixes of the code of random length",
            Self::Irmae => {
                "IRMAE as its paper has it: PyTorch's start, Adam at a constant 1e-4; collapsed and cut by --rank auto"
            }
            Self::IrmaePreset => {
                "IRMAE by ours' preset for all the steps, collapsed, not tuned: what tuning adds is ours minus this"
            }
        }
    }
}

impl Contender {
    /// What the others are compared with.
    pub const OURS: Self = Self::of(Kind::Ours);

    /// With the code's size that its kind has.
    pub const fn of(kind: Kind) -> Self {
        Self { kind, width: None }
    }

    /// With a code of `width` coefficients.
    pub const fn with_width(kind: Kind, width: usize) -> Self {
        Self { kind, width: Some(width) }
    }

    /// Those of a quick comparison: one of each.
    pub fn quick() -> Vec<Self> {
        Kind::ALL.into_iter().filter(|&kind| kind != Kind::IrmaePreset).map(Self::of).collect()
    }

    /// Those of a whole comparison. Few bytes do not serve many coefficients, so that narrower codes are there as well.
    pub fn all() -> Vec<Self> {
        let narrow = [Kind::Ae, Kind::Rrae].map(|kind| [8, 16, 32].map(|width| Self::with_width(kind, width)));
        Kind::ALL.into_iter().map(Self::of).chain(narrow.into_iter().flatten()).collect()
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        self.width.map_or(Ok(()), |width| write!(f, "_{width}"))
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |name: &str| Kind::ALL.into_iter().find(|kind| kind.name() == name);
        if let Some(kind) = named(text) {
            return Ok(Self::of(kind));
        }
        let with_width = text.rsplit_once('_').and_then(|(name, width)| {
            let kind = named(name).filter(|kind| kind.takes_width())?;
            width.parse().ok().filter(|&width| width > 0).map(|width| Self::with_width(kind, width))
        });
        let known = Kind::ALL.map(Kind::name).join(", ");
        with_width.ok_or_else(|| {
            format!("there is no method `{text}`; there are {known}, and ae_N and rrae_N with N coefficients")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for contender in Contender::all() {
            assert_eq!(contender.to_string().parse(), Ok(contender));
        }
        for wrong in ["aee", "vae_3", "ae_0", "ae_x", "ae_"] {
            assert!(wrong.parse::<Contender>().unwrap_err().contains("there are ours, pca, ae"), "{wrong}");
        }
    }
}
