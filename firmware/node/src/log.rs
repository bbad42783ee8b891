//! Logging that is left out without the feature `defmt`.

#[cfg(feature = "defmt")]
macro_rules! log {
    ($level:ident, $($argument:expr),+) => { ::defmt::$level!($($argument),+) };
}

#[cfg(not(feature = "defmt"))]
macro_rules! log {
    ($level:ident, $text:literal $(, $argument:expr)*) => { { $(let _ = &$argument;)* } };
}

pub(crate) use log;
